"""What keeps jobs from being lost: expired leases, poison, and wake-ups that never arrived."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis
from sqlalchemy import update

from core.jobs import logs, sweeper
from core.jobs.entity import Job
from core.jobs.kinds import JobState
from core.jobs.service import Jobs
from infra.db.store import Outbox, Store, Tx
from infra.db.types import db_now
from infra.queue import QUEUE, JobQueue
from infra.settings import Database
from infra.settings import Jobs as JobSettings
from tests.core.jobs.making import (
    CountingStore,
    changed,
    events,
    expired,
    last_event,
    put,
    put_in,
    row,
    take,
    taken,
)

NOBODY = "unix:///nonexistent/v.sock"


async def test_expired_job_is_pending_again_with_its_attempt_given_back(store: Store):
    job = await taken(store, dedupe_key="k")
    await expired(store, job.id)
    assert await store.read(sweeper.anything_expired)
    assert await store.write(sweeper.expire) == 1
    read = await row(store, job.id)
    assert (read.state, read.epoch, read.attempt, read.crashes) == (JobState.PENDING, 2, 0, 1)
    assert (read.lease_owner, read.lease_until, read.dispatched_at) == (None, None, None)
    assert (read.dedupe_key, read.finished_at, read.message) == ("k", None, "worker lost")
    assert read.error is not None
    assert (read.error.code, read.error.retryable) == ("CRASHED", True)
    assert await events(store) == ["job.pending", "job.running", "job.log", "job.pending"]
    (line,) = await store.read(logs.listed, job.id, after_n=0, limit=10)
    assert line.message == "worker lost, lease expired"
    again = await take(store, "w2")
    assert again is not None
    assert (again.id, again.epoch, again.attempt, again.error) == (job.id, 3, 1, None)


async def test_held_and_pending_jobs_do_not_expire(store: Store):
    await put(store)
    await taken(store)
    assert not await store.read(sweeper.anything_expired)
    assert await store.write(sweeper.expire) == 0
    assert await events(store) == ["job.pending", "job.pending", "job.running"]


async def test_one_of_many_sweepers_expires_a_job(store: Store):
    job = await taken(store)
    await expired(store, job.id)
    assert sum(await asyncio.gather(*(store.write(sweeper.expire) for _ in range(8)))) == 1
    read = await row(store, job.id)
    assert (read.epoch, read.crashes, read.attempt) == (2, 1, 0)
    assert (await events(store)).count("job.pending") == 2


async def test_job_that_takes_its_workers_down_fails_as_poison(store: Store):
    settings = JobSettings(max_crashes=3)
    job = await put(store, settings=settings, dedupe_key="k")
    for crash in range(1, 4):
        assert await take(store, f"w{crash}") is not None
        await expired(store, job.id)
        assert await store.write(sweeper.expire) == 1
    read = await row(store, job.id)
    assert (read.state, read.crashes, read.dedupe_key) == (JobState.FAILED, 3, None)
    assert read.error is not None
    assert read.error.code == "CRASHED"
    assert read.finished_at is not None
    assert await take(store) is None
    assert await events(store, but=["job.log"]) == [
        "job.pending", "job.running", "job.pending", "job.running", "job.pending", "job.running",
        "job.failed",
    ]  # fmt: skip
    assert (await last_event(store)).detail["error"]["code"] == "CRASHED"


async def test_more_expired_jobs_than_a_batch_take_some_rounds(store: Store):
    def lost(tx: Tx) -> None:
        for _ in range(sweeper.BATCH + 3):
            put_in(tx, JobSettings())
        lease = {"lease_owner": "w1", "lease_until": db_now(-1)}
        tx.session.execute(update(Job).values(state=JobState.RUNNING, **lease))

    await store.write(lost)
    assert await store.write(sweeper.expire) == sweeper.BATCH
    assert await store.write(sweeper.expire) == 3


@pytest.fixture
async def swept(store: Store, redis_url: str) -> AsyncIterator[Jobs]:
    """Jobs whose store wakes workers through a real queue."""
    queue = JobQueue(redis_url)

    def hand_on(outbox: Outbox) -> None:
        queue.wake(outbox.wake)

    store.on_commit = hand_on
    yield Jobs(store, queue, JobSettings())
    await queue.aclose()


async def queued(url: str, *, count: int) -> list[str]:
    """The wake-ups in the queue, once there are so many."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        async with asyncio.timeout(20):
            while client.zcard(QUEUE) < count:  # noqa: ASYNC110 — the queue has no event
                await asyncio.sleep(0.005)
        return sorted(client.zrange(QUEUE, 0, -1))


def follow(url: str, wake_id: str) -> None:
    """As a worker that took the wake-up, and then did not take the job."""
    with redis.Redis.from_url(url) as client:
        assert client.zrem(QUEUE, wake_id) == 1


async def test_queueing_wakes_a_worker(store: Store, swept: Jobs, redis_url: str):
    job = await put(store)
    assert await queued(redis_url, count=1) == [f"{job.id}:1"]
    await swept.sweep()
    assert await queued(redis_url, count=1) == [f"{job.id}:1"]


async def test_job_that_was_never_dispatched_is(store: Store, swept: Jobs, redis_url: str):
    """Its process died between the commit and the wake-up, or its lease expired."""
    job = await put(store)
    follow(redis_url, (await queued(redis_url, count=1))[0])
    await changed(store, job.id, dispatched_at=None)
    await swept.sweep()
    assert await queued(redis_url, count=1) == [f"{job.id}:2"]
    read = await row(store, job.id)
    assert read.dispatch_n == 2
    assert read.dispatched_at is not None


async def test_lost_wake_up_is_sent_again_under_a_new_name(
    store: Store, swept: Jobs, redis_url: str
):
    job = await put(store)
    follow(redis_url, (await queued(redis_url, count=1))[0])
    await swept.sweep()
    with redis.Redis.from_url(redis_url) as client:
        assert client.zcard(QUEUE) == 0, "a worker may still be about to take the job"
    await changed(store, job.id, dispatched_at=db_now(-sweeper.REDISPATCH_S - 1))
    await swept.sweep()
    assert await queued(redis_url, count=1) == [f"{job.id}:2"]


async def test_wake_up_that_still_waits_is_not_doubled(store: Store, swept: Jobs, redis_url: str):
    job = await put(store)
    assert await queued(redis_url, count=1) == [f"{job.id}:1"]
    await changed(store, job.id, dispatched_at=db_now(-60))
    await swept.sweep()
    assert await queued(redis_url, count=1) == [f"{job.id}:1"]
    read = await row(store, job.id)
    assert read.dispatch_n == 1
    assert await store.read(sweeper.due) == [], "not to be looked for again in the next moment"


async def test_only_the_lost_of_several_are_sent_again(store: Store, swept: Jobs, redis_url: str):
    kept, lost = await put(store), await put(store)
    await queued(redis_url, count=2)
    follow(redis_url, f"{lost.id}:1")
    for job in (kept, lost):
        await changed(store, job.id, dispatched_at=db_now(-60))
    await swept.sweep()
    assert await queued(redis_url, count=2) == sorted([f"{kept.id}:1", f"{lost.id}:2"])


async def test_job_that_is_not_due_or_runs_is_not_dispatched(
    store: Store, swept: Jobs, redis_url: str
):
    later, running = await put(store), await taken(store)
    if running.id == later.id:
        later, running = running, later
    await queued(redis_url, count=2)
    for wake_id in await queued(redis_url, count=2):
        follow(redis_url, wake_id)
    await changed(store, later.id, state=JobState.PENDING, run_at=db_now(60), dispatched_at=None)
    await changed(store, running.id, state=JobState.RUNNING, dispatched_at=None)
    await swept.sweep()
    assert [(await row(store, j.id)).dispatch_n for j in (later, running)] == [1, 1]


async def test_retry_is_dispatched_when_its_time_has_come(
    store: Store, swept: Jobs, redis_url: str
):
    job = await put(store)
    follow(redis_url, (await queued(redis_url, count=1))[0])
    await changed(store, job.id, run_at=db_now(60), dispatched_at=None)
    await swept.sweep()
    assert (await row(store, job.id)).dispatch_n == 1
    await changed(store, job.id, run_at=db_now(-0.1))
    await swept.sweep()
    assert await queued(redis_url, count=1) == [f"{job.id}:2"]


async def test_without_a_queue_the_sweep_expires_and_dispatches_nothing(store: Store):
    queue = JobQueue(NOBODY)
    jobs = Jobs(store, queue, JobSettings())
    lost, waiting = await taken(store), await put(store)
    await expired(store, lost.id)
    await changed(store, waiting.id, dispatched_at=None)
    await jobs.sweep()
    assert (await row(store, lost.id)).state is JobState.PENDING
    read = await row(store, waiting.id)
    assert (read.dispatch_n, read.dispatched_at) == (1, None)
    await queue.aclose()


async def test_sweep_with_nothing_to_do_writes_nothing(database_url: str, redis_url: str):
    store, queue = CountingStore(Database(url=database_url)), JobQueue(redis_url)
    try:
        await taken(store)
        before = store.writes
        await Jobs(store, queue, JobSettings()).sweep()
        assert store.writes == before == 2
    finally:
        await queue.aclose()
        await store.close()
