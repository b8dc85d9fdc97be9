"""Jobs: reads and commands."""

from collections.abc import Sequence
from datetime import datetime

from core.jobs.entity import Job, JobFile, JobLog
from core.jobs.kinds import JobFileState, JobState
from core.jobs.service import JobFilter
from core.paging import Page, check_first
from resolvers.context import Context
from resolvers.outcome import Outcome, answer

LOG_PAGE = 1000


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
