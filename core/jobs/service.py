"""Queueing, reading and cancelling jobs."""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import datetime

from core import ids
from core.errors import Conflict, Invalid
from core.ids import JobId
from core.jobs import control, logs, presence, repository, sweeper
from core.jobs.entity import Job, JobFile, JobLog
from core.jobs.kinds import TERMINAL, JobFileState, JobState
from core.jobs.queueing import NewFile, NewJob, queue
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
from infra.db.store import Store
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


PURGE_BATCH = 500
STOPPING_LOOK_S = 0.1


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
        """Those of the ids whose job has ended and will not be gone on with, or that are no job's.

        A job that failed within `keep_failed_s` may be retried, and then goes on from what is
        there; so does a retry that waits for its turn.
        """
        kept = await self._store.read(
            repository.going_on, job_ids, failed_within_s=self._settings.keep_failed_s
        )
        return [job_id for job_id in job_ids if job_id not in kept]

    async def given_up(self) -> Sequence[Job]:
        """Jobs that began and were cancelled or failed within `keep_failed_s`, and that nobody goes
        on with.
        """
        return await self._store.read(
            repository.given_up, ended_within_s=self._settings.keep_failed_s
        )

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
        job = await self._store.settle(control.cancel, JobId(ids.parse(job_id, ids.Prefix.JOB)), by)
        if job.lease_owner is not None:
            self._queue.announce_cancel(job.id)
        return job

    async def pause(self, job_id: str, by: Principal) -> Job:
        """Stops the work and keeps what is done. Pausing twice answers the same job.

        Raises BadId, NotFound, and Conflict where it has ended.
        """
        job = await self._store.settle(control.pause, JobId(ids.parse(job_id, ids.Prefix.JOB)), by)
        if job.lease_owner is not None:
            self._queue.announce_cancel(job.id)
        return job

    async def resume(self, job_id: str, by: Principal) -> Job:
        """Goes on with what is there. Resuming a job that is not paused answers it as it is.

        Raises BadId, NotFound, and Conflict where it has ended.
        """
        return await self._store.write(control.resume, JobId(ids.parse(job_id, ids.Prefix.JOB)), by)

    async def retry(self, job_id: str, by: Principal) -> Job:
        """A new job with the same input; waits for a cancelled run that is just stopping.

        Raises BadId, NotFound, and Conflict: the job has not ended, has completed, was retried
        already, or another one works on the same.
        """
        parsed = JobId(ids.parse(job_id, ids.Prefix.JOB))
        deadline_s = time.monotonic() + 2 * self._settings.lease_ttl_s
        while time.monotonic() < deadline_s:
            job = await self._store.write(control.retry, parsed, by, self._settings)
            if job is not None:
                return job
            await asyncio.sleep(STOPPING_LOOK_S)
        raise Conflict(f"the run of {parsed} does not stop", field=["id"], hint="try again later")

    async def retried_by(self, job_id: str) -> Job | None:
        return await self._store.read(repository.retried_by, job_id)

    async def purge(self, *, ended_before: datetime, states: Sequence[JobState] | None) -> int:
        """Removes ended jobs with their files and logs; how many. Raises Invalid."""
        chosen = list(TERMINAL) if states is None else states
        if not all(state.terminal for state in chosen):
            raise Invalid("only ended jobs can be purged", field=["states"])
        purged = 0
        while True:  # in batches, so that no writer waits long
            some = await self._store.write(
                repository.purge, ended_before=ended_before, states=chosen, limit=PURGE_BATCH
            )
            purged += some
            if some < PURGE_BATCH:
                return purged

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
