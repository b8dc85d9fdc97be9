"""Those who ask for things: install, cancel, pause, resume, retry, each until it is answered.

A call that the api did not survive is made again; an install carries an idempotency key, so that
it is one job however often it is asked for.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.followers import LOST, Followers
from tests.chaos.plan import Wish
from tests.fakes.hub import HubDouble
from tests.graphql_client import Client

PATIENCE_S = 90.0
AGAIN_S = 0.2
FOLLOWED = 8  # every eighth job has followers of its own
BROKEN_FILE = "model-0.safetensors"
PASSING = frozenset({"UNAVAILABLE", "TIMEOUT"})

INSTALL = """mutation($input: WeightsInstallInput!) { weightsInstall(input: $input) {
  job { id state } userErrors { code message } } }"""
VERB = """mutation($id: ID!) { %s(id: $id) { job { id state } userErrors { code message } } }"""
RETRIED = "query($id: ID!) { job(id: $id) { retriedBy { id state } } }"
FAILED = """query($after: String) { jobs(filter: {states: [FAILED]}, first: 100, after: $after) {
  nodes { id input retriedBy { id } } pageInfo { hasNextPage endCursor } } }"""


@dataclass(slots=True)
class Told:
    """What the api has answered."""

    jobs: dict[str, str] = field(default_factory=dict)
    """Every job it has accepted, with its target."""
    cancelled: set[str] = field(default_factory=set)
    cancel_s: list[float] = field(default_factory=list)
    install_s: list[float] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    repeated: int = 0


class People:
    def __init__(self, client: Client, hub: HubDouble, followers: Followers) -> None:
        self._client = client
        self._hub = hub
        self._followers = followers
        self.told = Told()

    async def want(self, wish: Wish) -> None:
        """Installs it, and does to it what is planned; returns once all of that is done."""
        if wish.broken:
            wrong = b"?" * self._hub.file(wish.repository.id, BROKEN_FILE).size_bytes
            self._hub.mutate(wish.repository.id, BROKEN_FILE, wrong)
        job_id = await self._install(wish)
        async with asyncio.TaskGroup() as later:
            if wish.pause_after_s is not None:
                later.create_task(self._pause(job_id, wish))
            if wish.cancel_after_s is not None:
                later.create_task(self._cancel(job_id, wish))

    def repair(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            if wish.broken:
                content = wish.repository.files[BROKEN_FILE]
                self._hub.mutate(wish.repository.id, BROKEN_FILE, content)

    async def retry_failed(self) -> int:
        """Retries what has failed and is not retried yet; how many."""
        retried, after = 0, None
        while True:
            page = (await self._ask(FAILED, after=after))["data"]["jobs"]
            for job in page["nodes"]:
                if job["retriedBy"] is None:
                    await self._retry(job["id"])
                    retried += 1
            if not page["pageInfo"]["hasNextPage"]:
                return retried
            after = page["pageInfo"]["endCursor"]

    async def _install(self, wish: Wish) -> str:
        wanted = {
            "hubRepo": wish.repository.id,
            "target": wish.target,
            "priority": wish.priority,
            "idempotencyKey": f"key {wish.target}",
        }
        began_s = time.monotonic()
        job = await self._done("weightsInstall", INSTALL, input=wanted)
        self.told.install_s.append(time.monotonic() - began_s)
        job_id: str = job["id"]
        self.told.jobs[job_id] = wish.target
        if len(self.told.jobs) % FOLLOWED == 1:
            self._followers.follow(job_id)
        return job_id

    async def _cancel(self, job_id: str, wish: Wish) -> None:
        await asyncio.sleep(wish.cancel_after_s or 0)
        began_s = time.monotonic()
        job = await self._done("jobCancel", VERB % "jobCancel", id=job_id)
        if job is None:
            return
        self.told.cancel_s.append(time.monotonic() - began_s)
        self.told.cancelled.add(job_id)
        assert job["state"] == "CANCELLED", job
        if wish.retried_when_cancelled:
            await self._retry(job_id)

    async def _pause(self, job_id: str, wish: Wish) -> None:
        await asyncio.sleep(wish.pause_after_s or 0)
        if await self._done("jobPause", VERB % "jobPause", id=job_id) is not None:
            await asyncio.sleep(wish.resume_after_s)
            await self._done("jobResume", VERB % "jobResume", id=job_id)

    async def _retry(self, job_id: str) -> None:
        job = await self._done("jobRetry", VERB % "jobRetry", id=job_id)
        if job is None:  # the answer to a call that did it was lost
            job = (await self._ask(RETRIED, id=job_id))["data"]["job"]["retriedBy"]
        if job is not None:
            self.told.jobs[job["id"]] = self.told.jobs[job_id]

    async def _done(self, verb: str, document: str, **variables: Any) -> Any:
        """The job of the payload; None where the state of the job does not allow it."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            payload = (await self._ask(document, **variables))["data"][verb]
            codes = {error["code"] for error in payload["userErrors"]}
            if not codes & PASSING or time.monotonic() > deadline_s:
                break
            self.told.repeated += 1
            await asyncio.sleep(AGAIN_S)
        self.told.calls[f"{verb} {codes or 'ok'}"] += 1
        assert codes <= {"CONFLICT"}, payload
        return None if codes else payload["job"]

    async def _ask(self, document: str, **variables: Any) -> Any:
        """The answer, as soon as there is one without errors that pass."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = await self._client.ask(document, **variables)
                if "errors" not in answer:
                    return answer
                failure: object = answer["errors"]
                passing = {e["extensions"].get("code") for e in answer["errors"]} <= PASSING
            except LOST as e:
                failure, passing = e, True
            if not passing or time.monotonic() > deadline_s:
                raise AssertionError(f"{document}: {failure}")
            self.told.repeated += 1
            await asyncio.sleep(AGAIN_S)
