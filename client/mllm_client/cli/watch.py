"""Verbs that stay: following a job, its log, or the events until they end or the user has enough.

Imports gql (see `mllm_client.transport`), so it is imported by the verbs that need it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

from mllm_client._generated.documents import JOB_UPDATED
from mllm_client.cli import errors, output, progress
from mllm_client.config import Server
from mllm_client.document import Document
from mllm_client.errors import MllmError, Unreachable
from mllm_client.subscriptions import Retry, follow

FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
PATIENCE = Retry(give_up_s=300.0)  # a server that is away longer is not restarting
NO_PATIENCE = Retry(give_up_s=0.0)  # a document of the user's may not say where to go on


def job(server: Server, job_id: str, seen: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Shows a job's progress until it ends and returns its last state; `seen` gets each state."""
    return asyncio.run(follow_job(server, job_id, seen))


async def follow_job(
    server: Server, job_id: str, seen: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    paused = False
    with progress.view() as view:
        states = follow(
            server,
            JOB_UPDATED,
            variables={"id": job_id},
            retry=PATIENCE,
            on_lost=lambda error, pause_s: view.say(lost(error, pause_s)),
        )
        async with aclosing(states):
            async for data in states:
                state: dict[str, Any] = data[JOB_UPDATED.root]
                seen(state)
                view.update(state)
                if state["state"] == "PAUSED" and not paused:
                    view.say(f"paused; it goes on after `mllm jobs resume {job_id}`")
                paused = state["state"] == "PAUSED"
                if state["state"] in FINAL:
                    return state
    raise Unreachable(
        "the server ended the stream before the job ended",
        hint=f"look at it with `mllm jobs get {job_id}`",
    )


def each(
    server: Server,
    document: Document,
    variables: dict[str, Any],
    show: Callable[[Any], None],
    *,
    since: datetime | None = None,
) -> None:
    """Calls `show` with each answer of a subscription until the server completes it."""
    asyncio.run(follow_each(server, document, variables, show, since))


async def follow_each(
    server: Server,
    document: Document,
    variables: dict[str, Any],
    show: Callable[[Any], None],
    since: datetime | None,
) -> None:
    answers: AsyncGenerator[dict[str, Any], None] = follow(
        server,
        document,
        variables=variables,
        retry=PATIENCE if document.root else NO_PATIENCE,
        on_lost=lambda error, pause_s: output.note(lost(error, pause_s), kind="warning"),
        since=since,
    )
    async with aclosing(answers):
        async for data in answers:
            show(data[document.root] if document.root else data)


def lost(error: MllmError, pause_s: float) -> str:
    """What is said when the connection is lost."""
    return f"{error.message}; trying again in {pause_s:.1f} s"


def outcome(job: dict[str, Any]) -> int:
    """Says how a job ended; returns the exit code."""
    match job["state"]:
        case "COMPLETED":
            return errors.OK
        case "FAILED":
            error = job["error"] or {"code": "INTERNAL", "message": "no reason given", "hint": None}
            errors.say(f"{job['id']} failed: {error['message']} ({error['code']})", error["hint"])
            return errors.FAILED
        case state:
            errors.say(f"{job['id']} ended as {state}", None)
            return errors.FAILED
