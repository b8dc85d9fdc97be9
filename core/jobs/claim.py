"""Running a job: claim, lease, and the writes of a run, each fenced by the epoch it runs under.

One compare-and-set on state and due time takes a job; the database's clock decides. A worker renews
the leases of all its jobs with one statement; a job that is not among the renewed ones, or has
another epoch, is no longer its own.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func, select, update

from core.feed.service import append
from core.ids import JobId
from core.jobs import events
from core.jobs.entity import Job, JobError, JobFile
from core.jobs.kinds import TERMINAL, JobFileState, JobState
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


def anything_due(tx: Tx) -> bool:
    """Whether `claim` would find something: asked without write access first."""
    return tx.session.execute(_due().limit(1)).first() is not None


def claim(tx: Tx, *, owner: str, lease_ttl_s: float) -> Job | None:
    """Takes the most urgent pending job that is due; None where there is none.

    Postgres lets workers pass by rows that others are just taking; SQLite has one writer anyway.
    """
    urgent = _due().order_by(Job.priority.desc(), Job.run_at, Job.id).limit(1)
    job_id = tx.session.execute(urgent.with_for_update(skip_locked=True)).scalar_one_or_none()
    if job_id is None:
        return None
    job = tx.session.scalars(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.PENDING)
        .values(
            state=JobState.RUNNING,
            epoch=Job.epoch + 1,
            attempt=Job.attempt + 1,
            lease_owner=owner,
            lease_until=db_now(lease_ttl_s),
            started_at=func.coalesce(Job.started_at, db_now()),
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


def _due() -> Select[str]:
    # A paused and resumed job may still be held by the run that is just stopping.
    free = Job.lease_owner.is_(None) | (Job.lease_until < db_now())
    return select(Job.id).where(Job.state == JobState.PENDING, Job.run_at <= db_now(), free)


def renew(tx: Tx, job_ids: Collection[str], *, owner: str, lease_ttl_s: float) -> dict[str, int]:
    """Renews the leases of the jobs that the worker runs; those it still owns, with their epochs.

    Only what it says it runs: a row whose run was lost inside the worker must expire.
    """
    if not job_ids:
        return {}
    # Locked in the order of their ids, as the reports of progress do: else Postgres finds deadlocks
    mine = select(Job.id, Job.epoch).where(
        Job.id.in_(job_ids), Job.lease_owner == owner, Job.state == JobState.RUNNING
    )
    rows = tx.session.execute(mine.order_by(Job.id).with_for_update()).all()
    renewed = {row.id: row.epoch for row in rows}
    tx.session.execute(
        update(Job).where(Job.id.in_(renewed)).values(lease_until=db_now(lease_ttl_s))
    )
    return renewed


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


def complete(
    tx: Tx,
    job_id: JobId,
    epoch: int,
    result: dict[str, Any],
    *,
    message: str,
    also: Callable[[Tx, Job], object],
) -> Job:
    """RUNNING → COMPLETED together with what else becomes true (`also`); raises Fenced."""
    values = {"result": result, "bytes_done": Job.bytes_total, "stage": None, "message": message}
    return _end(tx, job_id, epoch, JobState.COMPLETED, values, also)


def fail(tx: Tx, job_id: JobId, epoch: int, error: JobError) -> Job:
    """RUNNING → FAILED; raises Fenced."""
    values = {"message": error.message, **_error(error)}
    return _end(tx, job_id, epoch, JobState.FAILED, values, lambda _tx, _job: None)


def retry_later(tx: Tx, job_id: JobId, epoch: int, error: JobError, *, delay_s: float) -> Job:
    """RUNNING → PENDING, due after the delay; raises Fenced."""
    job = _back(tx, job_id, epoch, {"run_at": db_now(delay_s), **_error(error)})
    job.message = f"attempt {job.attempt} of {job.max_attempts} failed: {error.message}"
    append(tx, events.state_changed(job))
    return job


def hand_over(tx: Tx, job_id: JobId, epoch: int) -> Job:
    """RUNNING → PENDING, the attempt given back: this worker stops. Raises Fenced.

    Still due since it first was, and so before all that came after it.
    """
    values = {"attempt": Job.attempt - 1, "dispatched_at": db_now()}
    job = _back(tx, job_id, epoch, {**values, "dispatch_n": Job.dispatch_n + 1})
    append(tx, events.state_changed(job))
    tx.outbox.wake.append(f"{job.id}:{job.dispatch_n}")
    return job


def acknowledge(tx: Tx, job_id: JobId, owner: str) -> None:
    """The run of a job that was taken from it has stopped: the job can be taken again, or, where it
    has ended, what it worked on is free.
    """
    kept = case((Job.state.in_(TERMINAL), None), else_=Job.dedupe_key)
    tx.session.execute(
        update(Job)
        .where(Job.id == job_id, Job.lease_owner == owner, Job.state != JobState.RUNNING)
        .values(dedupe_key=kept, lease_owner=None, lease_until=None)
    )


def _fenced(job_id: JobId, epoch: int) -> Any:
    return update(Job).where(Job.id == job_id, Job.epoch == epoch, Job.state == JobState.RUNNING)


def _end(
    tx: Tx,
    job_id: JobId,
    epoch: int,
    state: JobState,
    values: dict[str, Any],
    also: Callable[[Tx, Job], object],
) -> Job:
    ended = {"finished_at": db_now(), "dedupe_key": None, **values}
    job = _leave(tx, job_id, epoch, state, ended)
    also(tx, job)
    append(tx, events.state_changed(job))
    return job


def _leave(tx: Tx, job_id: JobId, epoch: int, state: JobState, values: dict[str, Any]) -> Job:
    job: Job | None = tx.session.scalars(
        _fenced(job_id, epoch)
        .values(state=state, bytes_per_second=None, lease_owner=None, lease_until=None, **values)
        .returning(Job)
    ).one_or_none()
    if job is None:
        raise Fenced(job_id)
    return job


def _back(tx: Tx, job_id: JobId, epoch: int, values: dict[str, Any]) -> Job:
    waiting = {"stage": None, "dispatched_at": None, **values}
    return _leave(tx, job_id, epoch, JobState.PENDING, waiting)


def _error(error: JobError) -> dict[str, Any]:
    return {
        "error_code": error.code,
        "error_message": error.message,
        "error_hint": error.hint,
        "error_retryable": error.retryable,
    }
