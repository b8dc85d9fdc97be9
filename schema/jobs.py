"""Jobs, their files and their logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import strawberry

from core import ids
from core.jobs.entity import Job as JobRow
from core.jobs.entity import JobFile as JobFileRow
from core.jobs.entity import JobLog as JobLogRow
from core.jobs.service import JobFilter as JobFilterState
from core.paging import Page
from core.principal import Scope
from resolvers import job_streams, nodes
from resolvers import jobs as resolvers
from resolvers.outcome import Outcome
from schema.access import Requires
from schema.enums import ErrorCode, JobFileState, JobKind, JobState, LogLevel
from schema.errors import Payload, user_errors
from schema.nodes import Node
from schema.paging import PageInfo, page_info
from schema.scalars import Bytes, Json

SelfJob = Annotated["Job", strawberry.lazy("schema.jobs")]
First = Annotated[int, strawberry.argument(description="Page size, 1 to 100.")]
FirstLines = Annotated[int, strawberry.argument(description="Page size, 1 to 1000.")]
After = Annotated[str | None, strawberry.argument(description="The endCursor of the page before.")]


@strawberry.type(description="Why a job failed, or why its last attempt did.")
class JobError:
    code: ErrorCode = strawberry.field(description="What kind of failure.")
    message: str = strawberry.field(description="What went wrong, for people.")
    hint: str | None = strawberry.field(description="What to do about it. Null: nothing is known.")
    retryable: bool = strawberry.field(description="The same job may succeed later, unchanged.")


@strawberry.type(description="One file of a job.")
class JobFile:
    path: str = strawberry.field(description="In the repository.")
    bytes_done: Bytes = strawberry.field(description="Bytes that are here.")
    bytes_total: Bytes = strawberry.field(description="Bytes of the file.")
    state: JobFileState = strawberry.field(description="How far it is.")


@strawberry.type(description="A page of files, by path.")
class JobFileConnection:
    page: strawberry.Private[Page[JobFileRow]]
    job_id: strawberry.Private[str]
    states: strawberry.Private[list[Any] | None]

    @strawberry.field(graphql_type=list[JobFile], description="The files.")
    def nodes(self) -> list[JobFileRow]:
        return list(self.page.rows)

    @strawberry.field(description="Where the page lies.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)

    @strawberry.field(description="How many there are on all pages.")
    async def total_count(self, info: strawberry.Info) -> int:
        return await resolvers.count_files(info.context, self.job_id, self.states)


@strawberry.type(description="One line of a job's log.")
class JobLogLine:
    cursor: str = strawberry.field(description="Resumes after this line.")
    at: datetime = strawberry.field(description="When it was logged.")
    level: LogLevel = strawberry.field(description="How much it matters.")
    stage: str | None = strawberry.field(description="What the job was doing. Null: nothing named.")
    message: str = strawberry.field(description="For people.")


@strawberry.type(description="A page of log lines, oldest first.")
class JobLogConnection:
    page: strawberry.Private[Page[JobLogRow]]

    @strawberry.field(description="The lines.")
    def nodes(self) -> list[JobLogLine]:
        return [_line(c, r) for c, r in zip(self.page.cursors, self.page.rows, strict=True)]

    @strawberry.field(description="Where the page lies.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)


@strawberry.type(description="Long work. Follow it with jobUpdated and jobLogAdded.")
class Job(Node):
    kind: JobKind = strawberry.field(description="What it does.")
    state: JobState = strawberry.field(description="Where it is in its life.")
    stage: str | None = strawberry.field(description="What it is doing. Null: not running.")
    message: str | None = strawberry.field(description="The last word about it. Null: none.")
    progress: float | None = strawberry.field(description="0..1; null until the total is known.")
    bytes_done: Bytes | None = strawberry.field(description="Null: the job moves no bytes.")
    bytes_total: Bytes | None = strawberry.field(description="Null: not known.")
    bytes_per_second: float | None = strawberry.field(
        description="Mean of the last five seconds. Null: not running, or too early to say."
    )
    eta: timedelta | None = strawberry.field(
        description="What is left at this rate. Null: unknown."
    )
    attempt: int = strawberry.field(
        description="Counts from 1 with the first start; 0: not started."
    )
    max_attempts: int = strawberry.field(description="How often it is tried.")
    priority: int = strawberry.field(description="Higher runs first.")
    error: JobError | None = strawberry.field(description="Null: none so far.")
    input: Json = strawberry.field(description="What it was asked to do. Secrets are left out.")
    result: Json | None = strawberry.field(description="What it has done. Null: not completed.")
    requested_by: str = strawberry.field(description="The name of the token that asked for it.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(description="Null: not started.")
    finished_at: datetime | None = strawberry.field(description="Null: not ended.")
    elapsed: timedelta | None = strawberry.field(
        description="From the first start to the end, or until now. Null: not started."
    )
    next_attempt_at: datetime | None = strawberry.field(description="Null: it waits for no retry.")

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, JobRow)

    @strawberry.field(
        graphql_type=Node | None,
        description="What it works on. Null: not there yet, or no longer.",
    )
    async def subject(self, info: strawberry.Info) -> nodes.Row | None:
        subject_id = row(self).subject_id
        return None if subject_id is None else await nodes.find(info.context, subject_id)

    @strawberry.field(
        graphql_type=SelfJob | None,
        description="A retry is a new job; this is the one it retries. Null: it is no retry.",
    )
    async def retry_of(self, info: strawberry.Info) -> JobRow | None:
        retry_of_id = row(self).retry_of_id
        return None if retry_of_id is None else await resolvers.get(info.context, retry_of_id)

    @strawberry.field(graphql_type=SelfJob | None, description="Its retry. Null: there is none.")
    async def retried_by(self, info: strawberry.Info) -> JobRow | None:
        return await resolvers.retried_by(info.context, row(self))

    @strawberry.field(description="Its files, by path.")
    async def files(
        self,
        info: strawberry.Info,
        states: Annotated[
            list[JobFileState] | None, strawberry.argument(description="Default: all.")
        ] = None,
        first: First = 100,
        after: After = None,
    ) -> JobFileConnection:
        job_id = row(self).id
        page = await resolvers.files(info.context, job_id, states, first=first, after=after)
        return JobFileConnection(page=page, job_id=job_id, states=states)

    @strawberry.field(description="Its log, oldest line first.")
    async def logs(
        self, info: strawberry.Info, first: FirstLines = 100, after: After = None
    ) -> JobLogConnection:
        page = await resolvers.logs(info.context, row(self).id, first=first, after=after)
        return JobLogConnection(page=page)


def row(source: Any) -> JobRow:
    """The source of a field is the row, whatever the type checker takes `self` for."""
    found: JobRow = source
    return found


@strawberry.type(description="A job and where it lies in the list.")
class JobEdge:
    cursor: str = strawberry.field(description="Resumes after this job.")
    job: strawberry.Private[JobRow]

    @strawberry.field(graphql_type=Job, description="The job.")
    def node(self) -> JobRow:
        return self.job


@strawberry.type(description="A page of jobs, newest first.")
class JobConnection:
    page: strawberry.Private[Page[JobRow]]
    filter: strawberry.Private[JobFilterState]

    @strawberry.field(description="The jobs with their cursors.")
    def edges(self) -> list[JobEdge]:
        return [
            JobEdge(cursor=c, job=r) for c, r in zip(self.page.cursors, self.page.rows, strict=True)
        ]

    @strawberry.field(graphql_type=list[Job], description="The jobs.")
    def nodes(self) -> list[JobRow]:
        return list(self.page.rows)

    @strawberry.field(description="Where the page lies.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)

    @strawberry.field(description="How many there are on all pages.")
    async def total_count(self, info: strawberry.Info) -> int:
        return await resolvers.count(info.context, self.filter)


@strawberry.input(description="Which jobs; what is left out does not matter.")
class JobFilter:
    kinds: list[JobKind] | None = strawberry.field(default=None, description="Any of these.")
    states: list[JobState] | None = strawberry.field(default=None, description="Any of these.")
    subject_id: strawberry.ID | None = strawberry.field(
        default=None, description="What they worked on, e.g. wts_01j…"
    )
    since: datetime | None = strawberry.field(default=None, description="Created then or later.")

    def state(self) -> JobFilterState:
        """Raises BadId."""
        subject = None if self.subject_id is None else ids.canonical(self.subject_id)
        return JobFilterState(self.kinds, self.states, subject, self.since)


@strawberry.type(description="The job that a mutation changed.")
class JobPayload(Payload):
    row: strawberry.Private[JobRow | None]

    @strawberry.field(graphql_type=Job | None, description="Null: refused.")
    def job(self) -> JobRow | None:
        return self.row


def _payload(outcome: Outcome[JobRow]) -> JobPayload:
    return JobPayload(row=outcome.value, user_errors=user_errors(outcome.errors))


@strawberry.type(description="How many jobs were removed.")
class PurgePayload(Payload):
    purged_count: int = strawberry.field(description="0 where it was refused.")


@strawberry.type
class JobsQuery:
    @strawberry.field(graphql_type=Job | None, description="A job by its id. Null: there is none.")
    async def job(self, info: strawberry.Info, id: strawberry.ID) -> JobRow | None:
        return await resolvers.get(info.context, id)

    @strawberry.field(description="Jobs, newest first.")
    async def jobs(
        self,
        info: strawberry.Info,
        filter: JobFilter | None = None,
        first: First = 20,
        after: After = None,
    ) -> JobConnection:
        wanted = filter.state() if filter else JobFilterState()
        page = await resolvers.page(info.context, wanted, first=first, after=after)
        return JobConnection(page=page, filter=wanted)


@strawberry.type
class JobsMutation:
    @strawberry.mutation(
        extensions=[Requires(Scope.WRITE)],
        description="Ends the job at once, whatever it was doing; its work stops within a second.",
    )
    async def job_cancel(self, info: strawberry.Info, id: strawberry.ID) -> JobPayload:
        return _payload(await resolvers.cancel(info.context, id))

    @strawberry.mutation(
        extensions=[Requires(Scope.WRITE)],
        description="Stops the work and keeps what is done, until jobResume.",
    )
    async def job_pause(
        self,
        info: strawberry.Info,
        id: strawberry.ID,
    ) -> JobPayload:
        return _payload(await resolvers.pause(info.context, id))

    @strawberry.mutation(
        extensions=[Requires(Scope.WRITE)], description="Goes on with what a paused job has done."
    )
    async def job_resume(
        self,
        info: strawberry.Info,
        id: strawberry.ID,
    ) -> JobPayload:
        return _payload(await resolvers.resume(info.context, id))

    @strawberry.mutation(
        extensions=[Requires(Scope.WRITE)],
        description="A new job with the same input; the old one stays as it ended.",
    )
    async def job_retry(
        self,
        info: strawberry.Info,
        id: strawberry.ID,
    ) -> JobPayload:
        return _payload(await resolvers.retry(info.context, id))

    @strawberry.mutation(
        extensions=[Requires(Scope.WRITE)],
        description="Removes ended jobs with their files and logs; their events stay.",
    )
    async def jobs_purge(
        self,
        info: strawberry.Info,
        ended_before: datetime,
        states: Annotated[
            list[JobState] | None,
            strawberry.argument(description="Final states only. Default: all of them."),
        ] = None,
    ) -> PurgePayload:
        outcome = await resolvers.purge(info.context, ended_before, states)
        return PurgePayload(
            purged_count=outcome.value or 0, user_errors=user_errors(outcome.errors)
        )


@strawberry.type
class JobsSubscription:
    @strawberry.subscription(
        graphql_type=AsyncIterator[Job],
        description="The job as it is now, then each change (progress at most ten times a second), "
        "until it has ended.",
    )
    async def job_updated(
        self,
        info: strawberry.Info,
        id: strawberry.ID,
    ) -> AsyncIterator[JobRow]:
        async for job in job_streams.updated(info.context, id):
            yield job

    @strawberry.subscription(
        graphql_type=AsyncIterator[Job],
        description="The unfinished jobs that match, then each change of a job that matches.",
    )
    async def jobs_updated(
        self,
        info: strawberry.Info,
        filter: JobFilter | None = None,
    ) -> AsyncIterator[JobRow]:
        wanted = filter.state() if filter else JobFilterState()
        async for job in job_streams.all_updated(info.context, wanted):
            yield job

    @strawberry.subscription(
        description="Lines after the cursor, then live; completes once the job has ended."
    )
    async def job_log_added(
        self,
        info: strawberry.Info,
        id: strawberry.ID,
        after: Annotated[
            str | None, strawberry.argument(description="A line's cursor. Default: from the start.")
        ] = None,
    ) -> AsyncIterator[JobLogLine]:
        async for cursor, line in job_streams.log_added(info.context, id, after):
            yield _line(cursor, line)


def _line(cursor: str, line: JobLogRow) -> JobLogLine:
    return JobLogLine(
        cursor=cursor, at=line.at, level=line.level, stage=line.stage, message=line.message
    )
