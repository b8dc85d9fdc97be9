"""A job whose worker has gone goes on next, however many came after it."""

import pytest

from core.jobs import claim, sweeper
from core.jobs.entity import Job
from infra.db.store import Store
from tests.core.jobs.making import expired, put, take, taken


async def worker_dies(store: Store, job: Job) -> None:
    await expired(store, job.id)
    await store.write(sweeper.expire)


async def worker_ends(store: Store, job: Job) -> None:
    await store.write(claim.hand_over, job.id, job.epoch)


@pytest.mark.parametrize("interrupt", [worker_dies, worker_ends])
async def test_interrupted_job_goes_on_before_those_that_came_after_it(store: Store, interrupt):
    """It waited for all of them to end: 40 s under the chaos harness's load."""
    job = await taken(store)
    for _ in range(3):
        await put(store)
    await interrupt(store, job)
    again = await take(store, "w2")
    assert again is not None
    assert again.id == job.id


@pytest.mark.parametrize("interrupt", [worker_dies, worker_ends])
async def test_more_urgent_job_still_goes_first(store: Store, interrupt):
    job = await taken(store)
    urgent = await put(store, priority=1)
    await interrupt(store, job)
    again = await take(store, "w2")
    assert again is not None
    assert again.id == urgent.id
