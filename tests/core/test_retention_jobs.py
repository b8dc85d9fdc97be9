"""Ended jobs go after their time, with all that is theirs; no other job ever does."""

from typing import Any

import pytest
from sqlalchemy import func, select

from core.jobs import claim
from core.jobs.entity import Job, JobFile, JobLog
from core.jobs.kinds import JobState
from core.jobs.logs import Line, write
from core.jobs.retention import BATCH, JobRetention
from core.jobs.service import Jobs
from infra.db.store import Store, Tx
from infra.db.types import db_now
from infra.queue import JobQueue
from infra.settings import Jobs as JobSettings
from tests.core.jobs.making import BROKEN, FILES, changed, put, row, taken

DAY_S = 86_400
OLD_S = 31 * DAY_S


def no_fence(_tx: Tx) -> None:
    """Everybody may."""


def lost(_tx: Tx) -> None:
    raise LookupError("not yours")


async def trim(store: Store, fence: Any = no_fence, **settings: Any) -> int:
    return await JobRetention(store, JobSettings(**settings)).trim(fence)


async def ids(store: Store) -> set[str]:
    return set(await store.read(lambda tx: tx.session.scalars(select(Job.id)).all()))


async def count(store: Store, entity: type[JobFile] | type[JobLog]) -> int:
    query = select(func.count()).select_from(entity)
    return await store.read(lambda tx: tx.session.execute(query).scalar_one())


async def ended(store: Store, state: JobState, *, age_s: float = OLD_S, **values: Any) -> Job:
    """A job that ended then, of a run with files and a log."""
    job = await taken(store, files=FILES)
    await store.write(write, job.id, [Line("one"), Line("two")])
    await store.write(claim.fail, job.id, 1, BROKEN)
    await changed(store, job.id, state=state, finished_at=db_now(-age_s), **values)
    return job


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED])
async def test_job_that_ended_long_ago_goes_with_its_files_and_logs(store: Store, state: JobState):
    old = await ended(store, state)
    young = await ended(store, state, age_s=OLD_S - 2 * DAY_S)
    assert (await count(store, JobFile), await count(store, JobLog)) == (4, 4)
    assert await trim(store) == 1
    assert await ids(store) == {young.id} != {old.id}
    assert (await count(store, JobFile), await count(store, JobLog)) == (2, 2)
    assert await trim(store) == 0


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING, JobState.PAUSED])
async def test_job_that_has_not_ended_stays_however_old_it_is(store: Store, state: JobState):
    job = await put(store)
    long_ago = db_now(-100 * DAY_S)
    await changed(store, job.id, state=state, created_at=long_ago, finished_at=long_ago)
    assert (await trim(store), await ids(store)) == (0, {job.id})


async def test_ended_job_that_still_holds_what_it_worked_on_stays(store: Store):
    job = await ended(store, JobState.CANCELLED, dedupe_key="weights:default:a")
    assert (await trim(store), await ids(store)) == (0, {job.id})
    await changed(store, job.id, dedupe_key=None)
    assert (await trim(store), await ids(store)) == (1, set())


async def test_retry_outlives_the_job_it_goes_on_from(store: Store):
    old = await ended(store, JobState.FAILED)
    retry = await put(store, retry_of_id=old.id)
    assert await trim(store) == 1
    assert (await row(store, retry.id)).retry_of_id is None


async def test_failed_job_stays_as_long_as_its_staging(store: Store):
    job = await ended(store, JobState.FAILED, age_s=3600)
    assert await trim(store, keep_ended_days=0.01) == 0
    assert await trim(store, keep_ended_days=0.01, keep_failed_s=3000) == 1
    assert job.id not in await ids(store)


async def test_zero_keeps_for_ever(store: Store):
    job = await ended(store, JobState.COMPLETED, age_s=4000 * DAY_S)
    assert (await trim(store, keep_ended_days=0), await ids(store)) == (0, {job.id})


async def test_many_go_in_batches_each_of_them_fenced(store: Store):
    calls = []
    for _ in range(BATCH + 2):
        job = await put(store)
        await changed(store, job.id, state=JobState.COMPLETED, finished_at=db_now(-OLD_S))
    assert await trim(store, lambda _tx: calls.append(1)) == BATCH + 2
    assert (len(calls), await ids(store)) == (2, set())


async def test_owner_that_lost_the_lease_removes_nothing(store: Store):
    job = await ended(store, JobState.COMPLETED)
    with pytest.raises(LookupError, match="not yours"):
        await trim(store, lost)
    assert await ids(store) == {job.id}


async def test_staging_of_a_failed_job_is_needed_while_its_retry_has_not_ended(store: Store):
    queue = JobQueue("unix:///nonexistent/v.sock")
    jobs = Jobs(store, queue, JobSettings())
    old = await ended(store, JobState.FAILED)
    gone = await ended(store, JobState.FAILED)
    retry = await put(store, retry_of_id=old.id, dedupe_key="weights:default:a")
    await changed(store, retry.id, state=JobState.PAUSED)
    assert await jobs.not_going_on([old.id, gone.id, "stray"]) == [gone.id, "stray"]
    await changed(store, retry.id, state=JobState.COMPLETED, dedupe_key=None)
    assert await jobs.not_going_on([old.id]) == [old.id]
    await queue.aclose()
