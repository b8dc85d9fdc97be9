"""What keeps jobs from being lost: run once a second in every api and worker process.

A loop in every process, never a job: a reaper that is a job stalls with what it should repair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, select, update

from core.errors import ErrorCode
from core.feed.service import append
from core.jobs import events, logs
from core.jobs.entity import Job
from core.jobs.kinds import TERMINAL, JobState, LogLevel
from infra.db.store import Tx
from infra.db.types import db_now

# A wake-up that no worker followed for this long is looked for in the queue, and sent again if it
# is not there.
REDISPATCH_S = 3.0
BATCH = 200


@dataclass(frozen=True, slots=True)
class Due:
    """A pending job whose time has come. `wake_id` None: no wake-up was ever sent for it."""

    job_id: str
    wake_id: str | None


def expire(tx: Tx) -> int:
    """Takes jobs from workers that stopped renewing: back to PENDING, or FAILED after too many
    crashes.

    Returns how many. The attempt is given back, for a crash is counted apart; and a job stays due
    since it first was, so that it goes on before all that came after it.
    """
    poison = Job.crashes + 1 >= Job.max_crashes
    lost = _locked(tx, Job.state == JobState.RUNNING, Job.lease_until < db_now())
    jobs = tx.session.scalars(
        update(Job)
        .where(Job.id.in_(lost))
        .values(
            crashes=Job.crashes + 1,
            state=case((poison, JobState.FAILED.value), else_=JobState.PENDING.value),
            finished_at=case((poison, db_now()), else_=None),
            dedupe_key=case((poison, None), else_=Job.dedupe_key),
            error_code=ErrorCode.CRASHED,
            error_message="the worker that ran this job stopped renewing its lease",
            error_hint="look at the worker's log: it crashed, was killed, or lost the database",
            error_retryable=True,
            message="worker lost",
            stage=None,
            bytes_per_second=None,
            epoch=Job.epoch + 1,
            attempt=Job.attempt - 1,
            dispatched_at=None,
            lease_owner=None,
            lease_until=None,
        )
        .returning(Job)
    ).all()
    for job in jobs:
        logs.write(tx, job.id, [logs.Line("worker lost, lease expired", LogLevel.WARNING)])
        append(tx, events.state_changed(job))
    return len(jobs)


def unlock(tx: Tx) -> None:
    """Lets go for runs that were told to stop, never acknowledged, and whose lease is over: of what
    an ended job worked on, and of a paused job itself.
    """
    kept = case((Job.state.in_(TERMINAL), None), else_=Job.dedupe_key)
    left = _locked(tx, Job.state != JobState.RUNNING, Job.lease_until < db_now())
    tx.session.execute(
        update(Job)
        .where(Job.id.in_(left))
        .values(dedupe_key=kept, lease_owner=None, lease_until=None)
    )


def anything_expired(tx: Tx) -> bool:
    """Whether `expire` or `unlock` would find something: asked without write access first."""
    query = select(Job.id).where(Job.lease_until < db_now(), Job.lease_owner.is_not(None)).limit(1)
    return tx.session.execute(query).first() is not None


def due(tx: Tx) -> list[Due]:
    """Pending jobs whose time has come and that were never dispatched, or a while ago; most
    urgent first.
    """
    query = (
        select(Job.id, Job.dispatch_n, Job.dispatched_at)
        .where(
            Job.state == JobState.PENDING,
            Job.run_at <= db_now(),
            Job.dispatched_at.is_(None) | (Job.dispatched_at < db_now(-REDISPATCH_S)),
        )
        .order_by(Job.priority.desc(), Job.run_at)
        .limit(BATCH)
    )
    return [
        Due(row.id, None if row.dispatched_at is None else f"{row.id}:{row.dispatch_n}")
        for row in tx.session.execute(query)
    ]


def dispatch(tx: Tx, job_ids: Sequence[str]) -> None:
    """Wakes a worker for each, under a fresh id: an old wake-up of the same job is then
    nobody's.
    """
    rows = tx.session.execute(
        update(Job)
        .where(Job.id.in_(_locked(tx, Job.id.in_(job_ids), Job.state == JobState.PENDING)))
        .values(dispatch_n=Job.dispatch_n + 1, dispatched_at=db_now())
        .returning(Job.id, Job.dispatch_n)
    ).all()
    sent = {row.id: f"{row.id}:{row.dispatch_n}" for row in rows}
    tx.outbox.wake += [sent[job_id] for job_id in job_ids if job_id in sent]


def still_queued(tx: Tx, job_ids: Sequence[str]) -> None:
    """Their wake-ups wait in the queue, behind others: look again later."""
    tx.session.execute(
        update(Job)
        .where(Job.id.in_(_locked(tx, Job.id.in_(job_ids), Job.state == JobState.PENDING)))
        .values(dispatched_at=db_now())
    )


def _locked(tx: Tx, *conditions: ColumnElement[bool]) -> Sequence[str]:
    """The ids of such jobs, at most a batch, locked in one order; those that somebody else is just
    writing are left for the next round. So no two processes wait for each other.
    """
    query = select(Job.id).where(*conditions).order_by(Job.id).limit(BATCH)
    return tx.session.scalars(query.with_for_update(skip_locked=True)).all()
