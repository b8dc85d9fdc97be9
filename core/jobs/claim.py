"""Running a job: claim, lease, and the writes of a run, each fenced by the epoch it runs under.

One compare-and-set on state and due time takes a job; the database's clock decides. A worker renews
the leases of all its jobs with one statement; a job that is not among the renewed ones, or has
another epoch, is no longer its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, select, update

from core.feed.service import append
from core.ids import JobId
from core.jobs import events
from core.jobs.entity import Job, JobError, JobFile
from core.jobs.kinds import JobFileState, JobState
from infra.db.store import Tx
from infra.db.types import db_now


class Fenced(Exception):
    """The run is no longer the owner of its job: it must stop and write nothing more."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has done so far. `files`: those that changed since the last write."""

    job_id: JobId
    epoch: int
    stage: str
    bytes_done: int
    bytes_per_second: float | None
    files: Sequence[tuple[str, int, JobFileState]]
    sample: bool


def claim(tx: Tx, job_id: str, *, owner: str, lease_ttl_s: float) -> Job | None:
    """Takes a pending job that is due; None where somebody else has, or it is not to run."""
    return _take(tx, Job.id == job_id, owner=owner, lease_ttl_s=lease_ttl_s)


def claim_any(tx: Tx, *, owner: str, lease_ttl_s: float) -> Job | None:
    """Takes the most urgent pending job that is due: how workers find work without the queue."""
    due = (
        select(Job.id)
        .where(Job.state == JobState.PENDING, Job.run_at <= db_now())
        .order_by(Job.priority.desc(), Job.run_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    job_id = tx.session.execute(due).scalar_one_or_none()
    return None if job_id is None else claim(tx, job_id, owner=owner, lease_ttl_s=lease_ttl_s)


def _take(tx: Tx, which: ColumnElement[bool], *, owner: str, lease_ttl_s: float) -> Job | None:
    job = tx.session.scalars(
        update(Job)
        .where(which, Job.state == JobState.PENDING, Job.run_at <= db_now(0.05))
        .values(
            state=JobState.RUNNING,
            epoch=Job.epoch + 1,
            attempt=Job.attempt + 1,
            lease_owner=owner,
            lease_until=db_now(lease_ttl_s),
            started_at=case((Job.started_at.is_(None), db_now()), else_=Job.started_at),
            stage="starting",
            message=None,
            error_code=None,
            error_message=None,
            error_hint=None,
            error_retryable=None,
        )
        .returning(Job)
    ).one_or_none()
    if job is not None:
        append(tx, events.state_changed(job))
    return job


def renew(tx: Tx, *, owner: str, lease_ttl_s: float) -> dict[str, int]:
    """Renews every lease of the worker; the jobs it still owns, with their epochs."""
    rows = tx.session.execute(
        update(Job)
        .where(Job.lease_owner == owner, Job.state == JobState.RUNNING)
        .values(lease_until=db_now(lease_ttl_s))
        .returning(Job.id, Job.epoch)
    ).all()
    return {row[0]: row[1] for row in rows}


def record(tx: Tx, progress: Progress) -> bool:
    """Writes progress; False where the run is fenced, and then nothing is written."""
    job = tx.session.scalars(
        _fenced(progress.job_id, progress.epoch)
        .values(
            stage=progress.stage,
            bytes_done=progress.bytes_done,
            bytes_per_second=progress.bytes_per_second,
        )
        .returning(Job)
    ).one_or_none()
    if job is None:
        return False
    if progress.files:
        tx.session.execute(
            update(JobFile),
            [
                {"job_id": job.id, "path": path, "bytes_done": done, "state": state}
                for path, done, state in progress.files
            ],
        )
    if progress.sample:
        append(tx, events.progress(job))
    return True


def complete(tx: Tx, job_id: JobId, epoch: int, result: dict[str, Any], *, message: str) -> Job:
    """RUNNING → COMPLETED; raises Fenced."""
    values = {"result": result, "bytes_done": Job.bytes_total, "stage": None, "message": message}
    return _end(tx, job_id, epoch, JobState.COMPLETED, values)


def fail(tx: Tx, job_id: JobId, epoch: int, error: JobError) -> Job:
    """RUNNING → FAILED; raises Fenced."""
    return _end(tx, job_id, epoch, JobState.FAILED, {"message": error.message, **_error(error)})


def retry_later(tx: Tx, job_id: JobId, epoch: int, error: JobError, *, delay_s: float) -> Job:
    """RUNNING → PENDING, due after the delay; raises Fenced."""
    job = _back(tx, job_id, epoch, {"run_at": db_now(delay_s), **_error(error)})
    job.message = f"attempt {job.attempt} of {job.max_attempts} failed: {error.message}"
    return job


def hand_over(tx: Tx, job_id: JobId, epoch: int) -> Job:
    """RUNNING → PENDING, due at once, the attempt given back: this worker stops. Raises Fenced."""
    values = {"run_at": db_now(), "attempt": Job.attempt - 1, "dispatched_at": db_now()}
    job = _back(tx, job_id, epoch, {**values, "dispatch_n": Job.dispatch_n + 1})
    tx.outbox.wake.append(f"{job.id}:{job.dispatch_n}")
    return job


def acknowledge(tx: Tx, job_id: JobId, owner: str) -> None:
    """The run of a job that was taken from it has stopped: what it worked on is free again."""
    tx.session.execute(
        update(Job)
        .where(Job.id == job_id, Job.lease_owner == owner, Job.state != JobState.RUNNING)
        .values(dedupe_key=None, lease_owner=None, lease_until=None)
    )


def _fenced(job_id: JobId, epoch: int) -> Any:
    return update(Job).where(Job.id == job_id, Job.epoch == epoch, Job.state == JobState.RUNNING)


def _end(tx: Tx, job_id: JobId, epoch: int, state: JobState, values: dict[str, Any]) -> Job:
    job: Job | None = tx.session.scalars(
        _fenced(job_id, epoch)
        .values(
            state=state,
            finished_at=db_now(),
            bytes_per_second=None,
            dedupe_key=None,
            lease_owner=None,
            lease_until=None,
            **values,
        )
        .returning(Job)
    ).one_or_none()
    if job is None:
        raise Fenced(job_id)
    append(tx, events.state_changed(job))
    return job


def _back(tx: Tx, job_id: JobId, epoch: int, values: dict[str, Any]) -> Job:
    base = {"dispatched_at": None, **values}
    job: Job | None = tx.session.scalars(
        _fenced(job_id, epoch)
        .values(
            state=JobState.PENDING,
            stage=None,
            bytes_per_second=None,
            lease_owner=None,
            lease_until=None,
            **base,
        )
        .returning(Job)
    ).one_or_none()
    if job is None:
        raise Fenced(job_id)
    append(tx, events.state_changed(job))
    return job


def _error(error: JobError) -> dict[str, Any]:
    return {
        "error_code": error.code,
        "error_message": error.message,
        "error_hint": error.hint,
        "error_retryable": error.retryable,
    }
