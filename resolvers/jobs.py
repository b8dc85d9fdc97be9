"""Jobs: reads, cancel, and following one or many."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from core import ids
from core.errors import NotFound
from core.jobs.entity import Job, JobFile, JobLog
from core.jobs.kinds import TERMINAL, JobFileState, JobState
from core.jobs.service import JobFilter
from core.paging import Page, check_first
from infra.bus.signal import Signal
from resolvers.context import Context
from resolvers.outcome import Outcome, answer

LOG_PAGE = 1000
# A lost tick must not hold a log line back for longer.
LOG_LOOK_S = 1.0
PRESENT_JOBS = 100


async def get(ctx: Context, job_id: str) -> Job | None:
    return await ctx.services.jobs.get(job_id)


async def page(ctx: Context, filter_: JobFilter, *, first: int, after: str | None) -> Page[Job]:
    return await ctx.services.jobs.page(filter_, first=check_first(first), after=after)


async def count(ctx: Context, filter_: JobFilter) -> int:
    return await ctx.services.jobs.count(filter_)


async def files(
    ctx: Context,
    job_id: str,
    states: Sequence[JobFileState] | None,
    *,
    first: int,
    after: str | None,
) -> Page[JobFile]:
    return await ctx.services.jobs.files(
        job_id, states=states, first=check_first(first), after=after
    )


async def count_files(ctx: Context, job_id: str, states: Sequence[JobFileState] | None) -> int:
    return await ctx.services.jobs.count_files(job_id, states)


async def logs(ctx: Context, job_id: str, *, first: int, after: str | None) -> Page[JobLog]:
    return await ctx.services.jobs.logs(
        job_id, first=check_first(first, maximum=LOG_PAGE), after=after
    )


async def cancel(ctx: Context, job_id: str) -> Outcome[Job]:
    return await answer(ctx.services.jobs.cancel(job_id, ctx.principal))


async def pause(ctx: Context, job_id: str) -> Outcome[Job]:
    return await answer(ctx.services.jobs.pause(job_id, ctx.principal))


async def resume(ctx: Context, job_id: str) -> Outcome[Job]:
    return await answer(ctx.services.jobs.resume(job_id, ctx.principal))


async def retry(ctx: Context, job_id: str) -> Outcome[Job]:
    return await answer(ctx.services.jobs.retry(job_id, ctx.principal))


async def retried_by(ctx: Context, job: Job) -> Job | None:
    return await ctx.services.jobs.retried_by(job.id) if job.state.terminal else None


async def purge(
    ctx: Context, ended_before: datetime, states: Sequence[JobState] | None
) -> Outcome[int]:
    return await answer(ctx.services.jobs.purge(ended_before=ended_before, states=states))


async def updated(ctx: Context, job_id: str) -> AsyncIterator[Job]:
    """The job as it is now, then after each change, until it has ended. Raises BadId, NotFound."""
    job_id = ids.parse(job_id, ids.Prefix.JOB)
    subscription = ctx.services.events.subscribe(lambda _s: True, subject=job_id, coalesce=True)
    async with subscription as changes:
        job = await _existing(ctx, job_id)
        yield job
        if job.state.terminal:
            return
        async for change in changes:
            if isinstance(change, Signal) and change.seq is None and change.detail is not None:
                job.show(change.detail)
            else:
                job = await _existing(ctx, job_id)
            yield job
            if job.state.terminal:
                return


async def all_updated(ctx: Context, filter_: JobFilter) -> AsyncIterator[Job]:
    """The unfinished jobs that match, one by one, then every change of a job that matches."""

    def about_jobs(signal: Signal) -> bool:
        return signal.seq is not None and signal.type.startswith("job.")

    async with ctx.services.events.subscribe(about_jobs, coalesce=True) as changes:
        unfinished = [s for s in filter_.states or JobState if s not in TERMINAL]
        present = JobFilter(filter_.kinds, unfinished, filter_.subject_id, filter_.since)
        for job in reversed(
            (await ctx.services.jobs.page(present, first=PRESENT_JOBS, after=None)).rows
        ):
            yield job
        async for change in changes:
            if isinstance(change, Signal) and change.subject is not None:
                changed = await ctx.services.jobs.get(change.subject)
                if changed is not None and filter_.matches(changed):
                    yield changed


async def log_added(
    ctx: Context, job_id: str, after: str | None
) -> AsyncIterator[tuple[str, JobLog]]:
    """Cursor and line of everything after the cursor, then live, until the job has ended and all is
    told.

    Raises BadId, BadCursor, NotFound.
    """
    job_id = ids.parse(job_id, ids.Prefix.JOB)
    subscription = ctx.services.events.subscribe(lambda _s: True, subject=job_id, coalesce=True)
    async with subscription as changes:
        while True:
            # The state first: lines are written before or with the end, so what follows it is
            # complete.
            ended = (await _existing(ctx, job_id)).state.terminal
            page = await ctx.services.jobs.logs(job_id, first=LOG_PAGE, after=after)
            for cursor, line in zip(page.cursors, page.rows, strict=True):
                after = cursor
                yield cursor, line
            if page.has_next:
                continue
            if ended:
                return
            try:
                async with asyncio.timeout(LOG_LOOK_S):
                    await anext(changes)
            except TimeoutError:
                continue
            except StopAsyncIteration:
                return


async def _existing(ctx: Context, job_id: str) -> Job:
    job = await ctx.services.jobs.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}", field=["id"])
    return job
