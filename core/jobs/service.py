"""Queueing, reading and cancelling jobs."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core import ids
from core.errors import Conflict, NotFound
from core.feed.service import append
from core.ids import JobId
from core.jobs import events, logs, presence, repository, sweeper
from core.jobs.entity import Job, JobFile, JobLog
from core.jobs.kinds import JobFileState, JobKind, JobState, LogLevel
from core.jobs.repository import (
    JobFilter,
    by_idempotency_key,
    database_time,
    held,
    holding,
    reserved_bytes,
)
from core.paging import Page, decode, decode_number, page
from core.principal import Principal
from infra.db.store import Store, Tx
from infra.queue import JobQueue
from infra.settings import Jobs as JobSettings

# What other nouns use inside their own transactions.
__all__ = [
    "JobFilter",
    "Jobs",
    "NewFile",
    "NewJob",
    "by_idempotency_key",
    "database_time",
    "held",
    "holding",
    "queue",
    "reserved_bytes",
]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to queue. `dedupe_key` names what it works on: no two jobs hold the same one at a
    time.
    """

    kind: JobKind
    input: dict[str, Any]
    requested_by: str
    subject_id: str | None = None
    dedupe_key: str | None = None
    idempotency_key: str | None = None
    priority: int = 0
    reserved_bytes: int = 0
    bytes_total: int | None = None
    files: Sequence["NewFile"] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class NewFile:
    path: str
    size_bytes: int
    blob_id: str
    sha256: str | None


def queue(tx: Tx, new: NewJob, settings: JobSettings) -> Job:
    """Adds the job's row, its files and `job.pending`; a worker is woken once the transaction is
    committed.

    The caller has looked for a holder of `dedupe_key` and for `idempotency_key` in this
    transaction.
    """
    at = database_time(tx)
    job = Job(
        id=JobId(ids.new(ids.Prefix.JOB)),
        kind=new.kind,
        input=new.input,
        requested_by=new.requested_by,
        created_at=at,
        run_at=at,
        max_attempts=settings.max_attempts,
        max_crashes=settings.max_crashes,
        priority=new.priority,
        subject_id=new.subject_id,
        dedupe_key=new.dedupe_key,
        idempotency_key=new.idempotency_key,
        reserved_bytes=new.reserved_bytes,
        bytes_total=new.bytes_total,
        bytes_done=None if new.bytes_total is None else 0,
        dispatch_n=1,
        dispatched_at=at,
        message="queued",
    )
    files = [
        JobFile(
            job_id=job.id,
            path=f.path,
            bytes_total=f.size_bytes,
            blob_id=f.blob_id,
            sha256=f.sha256,
        )
        for f in new.files
    ]
    repository.add(tx, job, files)
    append(tx, events.state_changed(job))
    tx.outbox.wake.append(f"{job.id}:1")
    return job


class Jobs:
    """Reads and commands of jobs, and the sweep that every api and worker process runs."""

    def __init__(self, store: Store, wakeups: JobQueue, settings: JobSettings) -> None:
        self._store = store
        self._queue = wakeups
        self._settings = settings

    async def get(self, job_id: str) -> Job | None:
        """Raises BadId."""
        return await self._store.read(repository.get, ids.parse(job_id, ids.Prefix.JOB))

    async def not_going_on(self, job_ids: Sequence[str]) -> list[str]:
        """Those of the ids whose job has ended and holds nothing any more, or that are no job's."""
        active = await self._store.read(repository.holding_anything, job_ids)
        return [job_id for job_id in job_ids if job_id not in active]

    async def page(self, filter_: JobFilter, *, first: int, after: str | None) -> Page[Job]:
        """Newest first. Raises BadCursor."""
        before_id = None if after is None else decode(after)
        rows = await self._store.read(
            repository.listed, filter_, limit=first + 1, before_id=before_id
        )
        return page(rows, first=first, after=after, key=lambda job: job.id)

    async def count(self, filter_: JobFilter) -> int:
        return await self._store.read(repository.count, filter_)

    async def counts(self) -> dict[JobState, int]:
        return await self._store.read(repository.counts)

    async def workers(self) -> int:
        """Worker processes that are there now."""
        return await self._store.read(presence.alive)

    async def files(
        self, job_id: str, *, states: Sequence[JobFileState] | None, first: int, after: str | None
    ) -> Page[JobFile]:
        """By path. Raises BadCursor."""
        after_path = None if after is None else decode(after)
        rows = await self._store.read(
            repository.files, job_id, states=states, limit=first + 1, after_path=after_path
        )
        return page(rows, first=first, after=after, key=lambda file: file.path)

    async def all_files(self, job_id: str) -> list[JobFile]:
        """Every file of the job, by path: what its task works on."""
        return list(await self._store.read(repository.files, job_id))

    async def count_files(self, job_id: str, states: Sequence[JobFileState] | None) -> int:
        return await self._store.read(repository.count_files, job_id, states)

    async def logs(self, job_id: str, *, first: int, after: str | None) -> Page[JobLog]:
        """Oldest first. Raises BadCursor."""
        after_n = 0 if after is None else decode_number(after)
        rows = await self._store.read(logs.listed, job_id, after_n=after_n, limit=first + 1)
        return page(rows, first=first, after=after, key=lambda line: line.n)

    async def cancel(self, job_id: str, by: Principal) -> Job:
        """Terminal at once; the work itself stops within the heartbeat of its worker.

        Cancelling twice answers the same job. Raises BadId, NotFound, and Conflict where it has
        ended otherwise.
        """
        job = await self._store.write(_cancel, JobId(ids.parse(job_id, ids.Prefix.JOB)), by)
        if job.lease_owner is not None:
            self._queue.announce_cancel(job.id)
        return job

    async def sweep(self) -> None:
        """One round: expired leases, locks nobody holds any more, jobs that no worker was woken
        for.
        """
        if await self._store.read(sweeper.anything_expired):
            await self._store.write(sweeper.expire)
            await self._store.write(sweeper.unlock)
        due = await self._store.read(sweeper.due)
        if not due:
            return
        known = [d.wake_id for d in due if d.wake_id is not None]
        waiting = await self._queue.waiting(known)
        if waiting is None:  # no queue to be asked: workers claim due rows by themselves
            return
        missing = [d.job_id for d in due if d.wake_id not in waiting]
        if waiting:
            queued = [d.job_id for d in due if d.wake_id in waiting]
            await self._store.write(sweeper.still_queued, queued)
        if missing:
            await self._store.write(sweeper.dispatch, missing)

    async def sweep_forever(self) -> None:
        while True:
            # ±20 %, so that the processes of an installation do not sweep in step
            await asyncio.sleep(self._settings.sweep_s * random.uniform(0.8, 1.2))  # noqa: S311
            await self.sweep()


def _cancel(tx: Tx, job_id: JobId, by: Principal) -> Job:
    job = repository.cancel(tx, job_id)
    if job is not None:
        logs.write(tx, job.id, [logs.Line(f"cancelled by {by.name}", LogLevel.WARNING)])
        append(tx, events.state_changed(job))
        return job
    job = repository.get(tx, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}", field=["id"])
    if job.state is not JobState.CANCELLED:
        raise Conflict(f"the job has ended already: {job.state}", field=["id"])
    return job
