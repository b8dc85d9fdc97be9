"""Following jobs: one, many, or the log of one. What was missed is read from the database."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from core import ids
from core.errors import NotFound
from core.jobs.entity import Job, JobLog
from core.jobs.kinds import TERMINAL, JobState
from core.jobs.service import JobFilter
from infra.bus.signal import Gap, Signal
from resolvers.context import Context

LOG_PAGE = 1000
# A lost tick must not hold a log line back for longer.
LOG_LOOK_S = 1.0
PRESENT_PAGE = 100
GAP_ROWS = 500


async def updated(ctx: Context, job_id: str) -> AsyncIterator[Job]:
    """The job as it is now, then after each change, until it has ended. Raises BadId, NotFound."""
    job_id = ids.parse(job_id, ids.Prefix.JOB)
    subscription = ctx.services.events.subscribe(lambda _s: True, subject=job_id, coalesce=True)
    async with subscription as changes:
        job = await _existing(ctx, job_id)
        yield job
        if job.state.terminal:
            return
        tick: Mapping[str, Any] | None = None
        async for change in changes:
            if isinstance(change, Signal) and change.seq is None and change.detail is not None:
                tick = change.detail
                job.show(tick)
            else:
                job = await _existing(ctx, job_id)
                # What a row says may be older than what a tick has said already.
                if tick is not None and int(tick["bytesDone"]) > (job.bytes_done or 0):
                    job.show(tick)
            yield job
            if job.state.terminal:
                return


async def all_updated(ctx: Context, filter_: JobFilter) -> AsyncIterator[Job]:
    """The unfinished jobs that match, one by one, then every change of a job that matches."""

    def about_jobs(signal: Signal) -> bool:
        return signal.seq is not None and signal.type.startswith("job.")

    async with ctx.services.events.subscribe(about_jobs, coalesce=True) as changes:
        async for job in _unfinished(ctx, filter_):
            yield job
        async for change in changes:
            async for job in _changed(ctx, change):
                if filter_.matches(job):
                    yield job


async def _unfinished(ctx: Context, filter_: JobFilter) -> AsyncIterator[Job]:
    states = [state for state in filter_.states or JobState if state not in TERMINAL]
    wanted, after = replace(filter_, states=states), None
    while True:
        page = await ctx.services.jobs.page(wanted, first=PRESENT_PAGE, after=after)
        for job in page.rows:
            yield job
        if not page.has_next:
            return
        after = page.cursors[-1]


async def _changed(ctx: Context, change: Signal | Gap) -> AsyncIterator[Job]:
    """The job of a signal; the jobs of all events that a gap has left out."""
    if isinstance(change, Signal):
        subjects = [change.subject]
    else:
        subjects = await _left_out(ctx, change)
    for subject in subjects:
        job = None if subject is None else await ctx.services.jobs.get(subject)
        if job is not None:
            yield job


async def _left_out(ctx: Context, gap: Gap) -> list[str | None]:
    subjects: dict[str | None, None] = {}
    cursor = 0 if gap.from_seq is None else gap.from_seq - 1
    while rows := await ctx.services.feed.rows_after(cursor, GAP_ROWS):
        cursor = rows[-1].seq
        told = [row for row in rows if gap.to_seq is None or row.seq <= gap.to_seq]
        subjects.update({row.subject_id: None for row in told if row.type.startswith("job.")})
        if len(told) < len(rows):
            break
    return list(subjects)


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
