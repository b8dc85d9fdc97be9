"""Cancelling in every state, and the lock on what a job works on, which outlives the state."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import DBAPIError

from core import ids
from core.errors import BadId, Conflict, NotFound
from core.jobs import claim, logs, sweeper
from core.jobs.entity import Job
from core.jobs.kinds import JobState
from core.jobs.service import Jobs, holding, reserved_bytes
from infra.db.store import Store
from infra.queue import JobQueue
from infra.settings import Jobs as JobSettings
from tests.core.jobs.making import (
    ANN,
    BROKEN,
    columns,
    events,
    expired,
    last_event,
    put,
    row,
    take,
    taken,
)

NOBODY = "unix:///nonexistent/v.sock"  # cancelling needs no Redis


@pytest.fixture
async def jobs(store: Store) -> AsyncIterator[Jobs]:
    queue = JobQueue(NOBODY)
    yield Jobs(store, queue, JobSettings())
    await queue.aclose()


async def ended(store: Store, end: str) -> Job:
    job = await taken(store, dedupe_key="k")
    if end == "COMPLETED":
        await store.write(claim.complete, job.id, 1, {}, message="", also=lambda _tx, _job: None)
    else:
        await store.write(claim.fail, job.id, 1, BROKEN)
    return job


async def test_pending_job_is_cancelled_at_once_and_lets_go(store: Store, jobs: Jobs):
    job = await put(store, dedupe_key="k")
    cancelled = await jobs.cancel(job.id, ANN)
    read = await row(store, job.id)
    assert read.state is cancelled.state is JobState.CANCELLED
    assert (read.epoch, read.dedupe_key, read.message) == (1, None, "cancelled")
    assert read.finished_at is not None
    assert await take(store) is None
    assert await events(store) == ["job.pending", "job.log", "job.cancelled"]
    assert (await last_event(store)).detail["state"] == "CANCELLED"
    (line,) = await store.read(logs.listed, job.id, after_n=0, limit=10)
    assert (line.n, line.level, line.message) == (1, "WARNING", "cancelled by ann")


async def test_job_that_waits_for_its_next_attempt_is_cancelled(store: Store, jobs: Jobs):
    job = await taken(store, dedupe_key="k")
    await store.write(claim.retry_later, job.id, 1, BROKEN, delay_s=60)
    assert (await jobs.cancel(job.id, ANN)).state is JobState.CANCELLED
    read = await row(store, job.id)
    assert (read.dedupe_key, read.next_attempt_at) == (None, None)


async def test_running_job_is_terminal_at_once_and_keeps_its_lock(store: Store, jobs: Jobs):
    job = await taken(store, "w1", dedupe_key="k")
    assert (await jobs.cancel(job.id, ANN)).state is JobState.CANCELLED
    read = await row(store, job.id)
    assert (read.state, read.epoch, read.dedupe_key) == (JobState.CANCELLED, 2, "k")
    assert (read.lease_owner, read.bytes_per_second) == ("w1", None)
    with pytest.raises(DBAPIError):
        await put(store, dedupe_key="k")
    assert await store.heartbeat(claim.renew, [job.id], owner="w1", lease_ttl_s=60) == {}


async def test_acknowledgement_lets_go(store: Store, jobs: Jobs):
    job = await taken(store, "w1", dedupe_key="k")
    await jobs.cancel(job.id, ANN)
    await store.write(claim.acknowledge, job.id, "w2")  # not its owner
    assert (await row(store, job.id)).dedupe_key == "k"
    await store.write(claim.acknowledge, job.id, "w1")
    read = await row(store, job.id)
    assert (read.dedupe_key, read.lease_owner, read.lease_until) == (None, None, None)
    assert (await put(store, dedupe_key="k")).dedupe_key == "k"


async def test_lock_of_a_worker_that_died_goes_with_its_lease(store: Store, jobs: Jobs):
    job = await taken(store, dedupe_key="k")
    await jobs.cancel(job.id, ANN)
    await jobs.sweep()
    assert (await row(store, job.id)).dedupe_key == "k"
    await expired(store, job.id)
    await jobs.sweep()
    read = await row(store, job.id)
    assert (read.state, read.dedupe_key, read.lease_owner) == (JobState.CANCELLED, None, None)
    assert not await store.read(sweeper.anything_expired)
    assert await events(store, but=["job.log"]) == ["job.pending", "job.running", "job.cancelled"]


async def test_job_without_a_lock_lets_its_lease_go_too(store: Store, jobs: Jobs):
    """Else every sweep would find something to do for ever."""
    job = await taken(store)
    await jobs.cancel(job.id, ANN)
    await expired(store, job.id)
    await jobs.sweep()
    assert not await store.read(sweeper.anything_expired)


async def test_second_cancel_answers_the_same_job_and_says_nothing(store: Store, jobs: Jobs):
    job = await taken(store, dedupe_key="k")
    await jobs.cancel(job.id, ANN)
    before, told = await row(store, job.id), await events(store)
    assert columns(await jobs.cancel(job.id.upper(), ANN)) == columns(before)
    assert columns(await row(store, job.id)) == columns(before)
    assert await events(store) == told


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED"])
async def test_ended_job_cannot_be_cancelled(store: Store, jobs: Jobs, end: str):
    job = await ended(store, end)
    before, told = await row(store, job.id), await events(store)
    with pytest.raises(Conflict, match=f"ended already: {end}") as e:
        await jobs.cancel(job.id, ANN)
    assert e.value.field == ["id"]
    assert columns(await row(store, job.id)) == columns(before)
    assert await events(store) == told


async def test_unknown_job_cannot_be_cancelled(jobs: Jobs):
    with pytest.raises(NotFound) as e:
        await jobs.cancel(ids.new(ids.Prefix.JOB), ANN)
    assert e.value.field == ["id"]
    with pytest.raises(BadId):
        await jobs.cancel(ids.new(ids.Prefix.WEIGHTS), ANN)


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED"])
async def test_ended_job_has_let_go(store: Store, end: str):
    job = await ended(store, end)
    assert await store.read(holding, "k") is None
    assert (await row(store, job.id)).works_on == "k"


async def test_lock_is_found_by_its_name(store: Store):
    job = await put(store, dedupe_key="k")
    holder = await store.read(holding, "k")
    assert holder is not None
    assert holder.id == job.id
    assert await store.read(holding, "K") is None


async def test_reserved_bytes_are_those_yet_to_be_written_by_holders_of_locks(
    store: Store, jobs: Jobs
):
    async def reserved() -> int:
        return await store.read(reserved_bytes)

    assert await reserved() == 0
    await put(store, dedupe_key="a", reserved_bytes=1000)
    assert await reserved() == 1000
    running = await take(store)
    assert running is not None
    await store.write(claim.record, claim.Progress(running.id, 1, "x", 300, None, (), sample=False))
    assert await reserved() == 700
    pending = await put(store, dedupe_key="b", reserved_bytes=50)
    assert await reserved() == 750
    await jobs.cancel(running.id, ANN)
    assert await reserved() == 750, "the run goes on for a moment"
    await store.write(claim.acknowledge, running.id, "w1")
    assert await reserved() == 50
    await jobs.cancel(pending.id, ANN)
    assert await reserved() == 0
    # More than was reserved, and nothing reserved, take nothing from the others
    await put(store, dedupe_key="c", reserved_bytes=10)
    over = await take(store)
    assert over is not None
    await store.write(claim.record, claim.Progress(over.id, 1, "x", 90, None, (), sample=False))
    await put(store, dedupe_key="d", reserved_bytes=5)
    assert await reserved() == 5


async def test_paused_job_keeps_lock_and_bytes_and_is_not_taken(store: Store, jobs: Jobs):
    job = await taken(store, "w1", dedupe_key="k", reserved_bytes=10)
    assert (await jobs.pause(job.id, ANN)).state is JobState.PAUSED
    read = await row(store, job.id)
    assert (read.epoch, read.attempt, read.dedupe_key) == (2, 0, "k")
    await jobs.resume(job.id, ANN)
    assert await take(store, "w2") is None, "its run has not stopped yet"
    await store.write(claim.acknowledge, job.id, "w1")
    again = await take(store, "w2")
    assert again is not None
    assert (again.id, again.epoch, again.attempt, again.dedupe_key) == (job.id, 3, 1, "k")
    assert await events(store, but=["job.log"]) == [
        "job.pending", "job.running", "job.paused", "job.pending", "job.running",
    ]  # fmt: skip
