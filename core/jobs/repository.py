"""SQL of jobs as they are created, listed and cancelled; the running of them is in claim.py and
sweeper.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, delete, exists, func, select, update
from sqlalchemy.orm import aliased

from core.ids import JobId
from core.jobs.entity import Job, JobFile
from core.jobs.kinds import TERMINAL, JobFileState, JobKind, JobState
from infra.db.store import Tx
from infra.db.types import db_now


@dataclass(frozen=True, slots=True)
class JobFilter:
    """None: any."""

    kinds: Sequence[JobKind] | None = None
    states: Sequence[JobState] | None = None
    subject_id: str | None = None
    since: datetime | None = None

    def matches(self, job: Job) -> bool:
        return (
            (self.kinds is None or job.kind in self.kinds)
            and (self.states is None or job.state in self.states)
            and (self.subject_id is None or job.subject_id == self.subject_id)
            and (self.since is None or job.created_at >= self.since)
        )


def add(tx: Tx, job: Job, files: Sequence[JobFile]) -> None:
    tx.session.add(job)
    tx.session.flush()
    tx.session.add_all(files)


def database_time(tx: Tx) -> datetime:
    """Due times and leases are compared with the database's clock, so they are set by it too."""
    return tx.session.execute(select(db_now())).scalar_one()


def get(tx: Tx, job_id: str) -> Job | None:
    return tx.session.get(Job, job_id)


def by_idempotency_key(tx: Tx, key: str) -> Job | None:
    return tx.session.scalars(select(Job).where(Job.idempotency_key == key)).one_or_none()


def holding(tx: Tx, dedupe_key: str) -> Job | None:
    """The job that holds the lock."""
    return tx.session.scalars(select(Job).where(Job.dedupe_key == dedupe_key)).one_or_none()


def going_on(tx: Tx, job_ids: Sequence[str], *, failed_within_s: float) -> set[str]:
    """Those of the jobs that hold a lock, have failed not long ago, or are retried by one that
    holds a lock.
    """
    failed = (Job.state == JobState.FAILED) & (Job.finished_at > db_now(-failed_within_s))
    retry = aliased(Job)
    retried = exists().where(retry.retry_of_id == Job.id, retry.dedupe_key.is_not(None))
    held = Job.dedupe_key.is_not(None)
    query = select(Job.id).where(Job.id.in_(job_ids), held | failed | retried)
    return set(tx.session.scalars(query))


def given_up(tx: Tx, *, ended_within_s: float) -> Sequence[Job]:
    """Jobs that began, were cancelled or failed not long ago, and that nobody goes on with: what
    they worked on is free.
    """
    holder = aliased(Job)
    free = ~exists().where(holder.dedupe_key == Job.works_on)
    query = select(Job).where(
        Job.state.in_([JobState.CANCELLED, JobState.FAILED]),
        Job.started_at.is_not(None),
        Job.finished_at > db_now(-ended_within_s),
        free,
    )
    return tx.session.scalars(query).all()


def held(tx: Tx, prefix: str) -> Sequence[str]:
    """The locks that start with the prefix."""
    query = select(Job.dedupe_key).where(Job.dedupe_key.startswith(prefix, autoescape=True))
    return [key for key in tx.session.scalars(query) if key is not None]


def reserved_bytes(tx: Tx, *, but_for: str | None = None) -> int:
    """Bytes that jobs have yet to write: of rows whose lock is still held, whatever their state
    says. `but_for`: a job that is not counted.
    """
    left = Job.reserved_bytes - func.coalesce(Job.bytes_done, 0)
    query = select(func.coalesce(func.sum(left), 0)).where(
        Job.dedupe_key.is_not(None), Job.reserved_bytes > 0, left > 0
    )
    if but_for is not None:
        query = query.where(Job.id != but_for)
    return int(tx.session.execute(query).scalar_one())


def listed(tx: Tx, filter_: JobFilter, *, limit: int, before_id: str | None) -> Sequence[Job]:
    """Newest first; `before_id`: only jobs that come after it in that order."""
    query = select(Job).where(*_matching(filter_)).order_by(Job.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Job.id < before_id)
    return tx.session.scalars(query).all()


def count(tx: Tx, filter_: JobFilter) -> int:
    query = select(func.count()).select_from(Job).where(*_matching(filter_))
    return int(tx.session.execute(query).scalar_one())


def counts(tx: Tx) -> dict[JobState, int]:
    """How many jobs are in each state; every state is there."""
    rows = tx.session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
    found = {row[0]: row[1] for row in rows}
    return {state: found.get(state, 0) for state in JobState}


def files(
    tx: Tx,
    job_id: str,
    *,
    states: Sequence[JobFileState] | None = None,
    limit: int | None = None,
    after_path: str | None = None,
) -> Sequence[JobFile]:
    """By path; `limit` None: all."""
    query = select(JobFile).where(*_of_job(job_id, states)).order_by(JobFile.path).limit(limit)
    if after_path is not None:
        query = query.where(JobFile.path > after_path)
    return tx.session.scalars(query).all()


def count_files(tx: Tx, job_id: str, states: Sequence[JobFileState] | None) -> int:
    query = select(func.count()).select_from(JobFile).where(*_of_job(job_id, states))
    return int(tx.session.execute(query).scalar_one())


def cancel(tx: Tx, job_id: JobId) -> Job | None:
    """Terminal at once, whatever the job was doing; None where it had ended already.

    The higher epoch fences a run that goes on for a moment. Its lock stays until that run
    acknowledges or its lease ends.
    """
    row = tx.session.scalars(
        update(Job)
        .where(Job.id == job_id, Job.state.not_in(TERMINAL))
        .values(
            state=JobState.CANCELLED,
            epoch=Job.epoch + 1,
            finished_at=db_now(),
            message="cancelled",
            bytes_per_second=None,
        )
        .returning(Job),
        execution_options={"populate_existing": True},
    ).one_or_none()
    if row is not None and row.lease_owner is None:
        row.dedupe_key = None
    return row


def pause(tx: Tx, job_id: JobId) -> Job | None:
    """PENDING or RUNNING → PAUSED; None in any other state.

    The attempt is given back, the lock and what is staged stay. A run that goes on for a moment is
    fenced, and holds its lease until it acknowledges: until then nobody can take the job again.
    """
    was_running = case((Job.state == JobState.RUNNING.value, 1), else_=0)
    return tx.session.scalars(
        update(Job)
        .where(Job.id == job_id, Job.state.in_([JobState.PENDING, JobState.RUNNING]))
        .values(
            state=JobState.PAUSED,
            epoch=Job.epoch + 1,
            attempt=Job.attempt - was_running,
            message="paused",
            stage=None,
            bytes_per_second=None,
        )
        .returning(Job)
    ).one_or_none()


def resume(tx: Tx, job_id: JobId) -> Job | None:
    """PAUSED → PENDING, due at once, a worker is woken; None in any other state."""
    job = tx.session.scalars(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.PAUSED)
        .values(
            state=JobState.PENDING,
            run_at=db_now(),
            message="queued",
            dispatch_n=Job.dispatch_n + 1,
            dispatched_at=db_now(),
        )
        .returning(Job)
    ).one_or_none()
    if job is not None:
        tx.outbox.wake.append(f"{job.id}:{job.dispatch_n}")
    return job


def retried_by(tx: Tx, job_id: str) -> Job | None:
    return tx.session.scalars(select(Job).where(Job.retry_of_id == job_id)).one_or_none()


def purgeable(
    tx: Tx, *, ended_before: datetime, states: Sequence[JobState], limit: int
) -> Sequence[JobId]:
    """Jobs of these final states that ended before then and hold nothing."""
    query = select(Job.id).where(
        Job.state.in_([s for s in states if s.terminal]),
        Job.finished_at < ended_before,
        Job.dedupe_key.is_(None),
    )
    return tx.session.scalars(query.order_by(Job.finished_at).limit(limit)).all()


def purge(tx: Tx, *, ended_before: datetime, states: Sequence[JobState], limit: int) -> int:
    """Removes such jobs, the oldest first, with their files and logs; how many."""
    ids = purgeable(tx, ended_before=ended_before, states=states, limit=limit)
    tx.session.execute(update(Job).where(Job.retry_of_id.in_(ids)).values(retry_of_id=None))
    tx.session.execute(delete(Job).where(Job.id.in_(ids)))
    return len(ids)


def _matching(filter_: JobFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filter_.kinds is not None:
        conditions.append(Job.kind.in_(filter_.kinds))
    if filter_.states is not None:
        conditions.append(Job.state.in_(filter_.states))
    if filter_.subject_id is not None:
        conditions.append(Job.subject_id == filter_.subject_id)
    if filter_.since is not None:
        conditions.append(Job.created_at >= filter_.since)
    return conditions


def _of_job(job_id: str, states: Sequence[JobFileState] | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [JobFile.job_id == job_id]
    return conditions if states is None else [*conditions, JobFile.state.in_(states)]
