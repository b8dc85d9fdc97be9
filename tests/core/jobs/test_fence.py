"""What a run writes counts only under its own epoch: nothing of a lost run reaches the row, its
files, its log or the feed.
"""

from collections.abc import Callable
from typing import Any

import pytest

from core.jobs import claim, logs, repository
from core.jobs.claim import Fenced, Progress
from core.jobs.entity import Job
from core.jobs.kinds import JobFileState, JobState
from infra.db.store import Store, Tx
from infra.db.types import db_now
from tests.core.jobs.making import (
    BROKEN,
    FILES,
    changed,
    columns,
    events,
    last_event,
    row,
    take,
    taken,
)


def progress(job: Job, **changes: Any) -> Progress:
    values = {
        "job_id": job.id,
        "epoch": job.epoch,
        "stage": "downloading",
        "bytes_done": 30,
        "bytes_per_second": 10.0,
        "files": [("a.bin", 30, JobFileState.RUNNING)],
        "sample": True,
        **changes,
    }
    return Progress(**values)


def complete(tx: Tx, job: Job) -> Job:
    return claim.complete(
        tx, job.id, job.epoch, {"path": "a"}, message="done",
        also=lambda tx, job: setattr(job, "subject_id", "wts_x"),
    )  # fmt: skip


ENDS: dict[str, Callable[[Tx, Job], Job]] = {
    "complete": complete,
    "fail": lambda tx, job: claim.fail(tx, job.id, job.epoch, BROKEN),
    "retry": lambda tx, job: claim.retry_later(tx, job.id, job.epoch, BROKEN, delay_s=60),
    "hand over": lambda tx, job: claim.hand_over(tx, job.id, job.epoch),
}


async def test_progress_is_written_with_its_files_and_sampled(store: Store):
    job = await taken(store, files=FILES)
    assert await store.write(claim.record, progress(job))
    read = await row(store, job.id)
    assert (read.stage, read.bytes_done, read.bytes_per_second) == ("downloading", 30, 10.0)
    assert (read.progress, str(read.eta)) == (0.3, "0:00:07")
    a, b = await store.read(repository.files, job.id)
    assert (a.bytes_done, a.state, b.bytes_done, b.state) == (
        30, JobFileState.RUNNING, 0, JobFileState.PENDING,
    )  # fmt: skip
    event = await last_event(store)
    assert (event.type, event.subject_id) == ("job.progress", job.id)
    assert event.detail == {
        "jobId": job.id, "stage": "downloading", "progress": 0.3, "bytesDone": "30",
        "bytesTotal": "100", "bytesPerSecond": 10.0,
    }  # fmt: skip


async def test_progress_without_a_sample_is_no_event(store: Store):
    job = await taken(store)
    assert await store.write(claim.record, progress(job, sample=False, files=()))
    assert await events(store) == ["job.pending", "job.running"]


async def test_completion(store: Store):
    job = await taken(store, dedupe_key="k")
    await store.write(ENDS["complete"], job)
    read = await row(store, job.id)
    assert (read.state, read.result, read.message) == (JobState.COMPLETED, {"path": "a"}, "done")
    assert (read.dedupe_key, read.lease_owner, read.lease_until) == (None, None, None)
    assert (read.bytes_done, read.progress, read.stage, read.subject_id) == (
        100,
        1.0,
        None,
        "wts_x",
    )
    assert read.finished_at is not None
    detail = (await last_event(store)).detail
    assert (detail["state"], detail["subjectId"], detail["result"]) == (
        "COMPLETED", "wts_x", {"path": "a"},
    )  # fmt: skip


async def test_failure(store: Store):
    job = await taken(store, dedupe_key="k")
    await store.write(ENDS["fail"], job)
    read = await row(store, job.id)
    assert (read.state, read.error, read.message) == (JobState.FAILED, BROKEN, BROKEN.message)
    assert (read.dedupe_key, read.lease_owner) == (None, None)
    assert (await last_event(store)).detail["error"] == {
        "code": "UNAVAILABLE", "message": "the hub is away", "hint": "wait", "retryable": True,
    }  # fmt: skip


async def test_retry_waits_and_keeps_the_lock_and_the_reason(store: Store):
    job = await taken(store, dedupe_key="k")
    await store.write(ENDS["retry"], job)
    read = await row(store, job.id)
    assert (read.state, read.error, read.attempt) == (JobState.PENDING, BROKEN, 1)
    assert read.message == "attempt 1 of 5 failed: the hub is away"
    assert (read.dedupe_key, read.lease_owner, read.dispatched_at) == ("k", None, None)
    assert read.next_attempt_at == read.run_at
    assert await take(store) is None


async def test_hand_over_gives_the_attempt_back_and_wakes_another_at_once(store: Store):
    job = await taken(store, dedupe_key="k")
    woken: list[str] = []
    store.on_commit = lambda outbox: woken.extend(outbox.wake)
    await store.write(ENDS["hand over"], job)
    read = await row(store, job.id)
    assert (read.state, read.attempt, read.crashes) == (JobState.PENDING, 0, 0)
    assert (read.dedupe_key, read.lease_owner, read.error) == ("k", None, None)
    assert woken == [f"{job.id}:2"]
    again = await take(store, "w2")
    assert again is not None
    assert (again.id, again.attempt, again.epoch) == (job.id, 1, 2)


@pytest.mark.parametrize("end", list(ENDS))
async def test_event_of_an_end_tells_the_row(store: Store, end: str):
    job = await taken(store)
    await store.write(ENDS[end], job)
    read, event = await row(store, job.id), await last_event(store)
    assert event.type == f"job.{read.state.lower()}"
    told = {key: event.detail[key] for key in ("state", "message", "stage", "attempt", "result")}
    assert told == {
        "state": read.state, "message": read.message, "stage": read.stage,
        "attempt": read.attempt, "result": read.result,
    }  # fmt: skip


LOSSES: dict[str, dict[str, Any]] = {
    "given to another": {"epoch": 2, "lease_owner": "w2"},
    "cancelled": {"epoch": 2, "state": JobState.CANCELLED},
    "paused": {"epoch": 2, "state": JobState.PAUSED},
    "pending again": {"state": JobState.PENDING, "lease_owner": None},
    "completed": {"state": JobState.COMPLETED, "lease_owner": None},
}


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("end", list(ENDS))
async def test_lost_run_cannot_end_its_job(store: Store, end: str, loss: str):
    job = await taken(store, dedupe_key="k", files=FILES)
    await changed(store, job.id, **LOSSES[loss])
    before, told = await row(store, job.id), await events(store)
    woken: list[str] = []
    store.on_commit = lambda outbox: woken.extend(outbox.wake)
    with pytest.raises(Fenced, match=job.id):
        await store.write(ENDS[end], job)
    assert columns(await row(store, job.id)) == columns(before)
    assert (await events(store), woken) == (told, [])


@pytest.mark.parametrize("loss", list(LOSSES))
async def test_lost_run_cannot_report(store: Store, loss: str):
    job = await taken(store, files=FILES)
    await changed(store, job.id, **LOSSES[loss])
    before, told = await row(store, job.id), await events(store)
    assert not await store.write(claim.record, progress(job))
    assert columns(await row(store, job.id)) == columns(before)
    assert {f.bytes_done for f in await store.read(repository.files, job.id)} == {0}
    assert await events(store) == told


async def test_lost_run_cannot_log(store: Store):
    job = await taken(store)
    await changed(store, job.id, epoch=2)
    told = await events(store)
    assert not await store.write(logs.write, job.id, [logs.Line("late")], epoch=1)
    assert await store.read(logs.listed, job.id, after_n=0, limit=10) == []
    assert await events(store) == told


async def test_second_end_of_the_same_run_is_fenced(store: Store):
    job = await taken(store)
    await store.write(ENDS["complete"], job)
    for end in ENDS.values():
        with pytest.raises(Fenced):
            await store.write(end, job)
    assert await events(store) == ["job.pending", "job.running", "job.completed"]


async def test_what_else_becomes_true_is_undone_where_the_run_is_fenced(store: Store):
    job = await taken(store)
    await changed(store, job.id, epoch=2)
    called: list[str] = []
    with pytest.raises(Fenced):
        await store.write(
            claim.complete, job.id, 1, {}, message="", also=lambda _tx, job: called.append(job.id)
        )
    assert called == []


async def test_lease_that_is_over_does_not_fence_before_somebody_else_took_the_job(store: Store):
    """Only the epoch decides: work that is done is kept if nobody has begun it anew."""
    job = await taken(store)
    await changed(store, job.id, lease_until=db_now(-5))
    await store.write(ENDS["complete"], job)
    assert (await row(store, job.id)).state is JobState.COMPLETED
