"""Installs over GraphQL and follows the job over a WebSocket, as a program does."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.graphql_client import Client
from tests.stack import Stack

INSTALL = """mutation($input: WeightsInstallInput!) { weightsInstall(input: $input) {
  job { id state input } storageUri inferenceModelPath joined
  userErrors { field code message hint }
} }"""
UPDATED = """subscription($id: ID!) { jobUpdated(id: $id) {
  state stage bytesDone bytesTotal progress error { code message }
  files(first: 1, states: [VERIFIED]) { totalCount }
} }"""
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Watched:
    """What the mutation answered, and every state that the subscription told after it."""

    payload: dict[str, Any]
    updates: list[dict[str, Any]]

    @property
    def job_id(self) -> str:
        return str(self.payload["job"]["id"])


def install(stack: Stack, **fields: object) -> Watched:
    """Returns when the job has ended; fails if it was refused."""

    async def run() -> Watched:
        async with Client(stack.url, stack.token) as client, asyncio.timeout(TIMEOUT_S):
            payload = await client.data(INSTALL, input=fields)
            assert payload["userErrors"] == [], payload
            async with client.stream(UPDATED, id=payload["job"]["id"]) as updates:
                return Watched(payload, await updates.rest())

    return asyncio.run(run())


def ended(stack: Stack, job_id: str) -> dict[str, Any]:
    """The job once it has ended."""

    async def run() -> dict[str, Any]:
        async with (
            asyncio.timeout(TIMEOUT_S),
            Client(stack.url, stack.token) as client,
            client.stream(UPDATED, id=job_id) as updates,
        ):
            last: dict[str, Any] = (await updates.rest())[-1]
            return last

    return asyncio.run(run())
