"""What people do to jobs: cancel, pause, resume, retry. Each is one transaction, told in the
feed.
"""

from core.errors import Conflict, NotFound
from core.feed.service import append
from core.ids import JobId
from core.jobs import events, logs, repository
from core.jobs.entity import Job
from core.jobs.kinds import JobState, LogLevel
from core.jobs.queueing import NewFile, NewJob, queue
from core.principal import Principal
from infra.db.store import Tx
from infra.settings import Jobs as JobSettings


def cancel(tx: Tx, job_id: JobId, by: Principal) -> Job:
    job = repository.cancel(tx, job_id)
    if job is not None:
        return _told(tx, job, f"cancelled by {by.name}")
    job = _existing(tx, job_id)
    if job.state is not JobState.CANCELLED:
        raise Conflict(f"the job has ended already: {job.state}", field=["id"])
    return job


def pause(tx: Tx, job_id: JobId, by: Principal) -> Job:
    job = repository.pause(tx, job_id)
    if job is not None:
        return _told(tx, job, f"paused by {by.name}")
    return _unless_ended(_existing(tx, job_id))


def resume(tx: Tx, job_id: JobId, by: Principal) -> Job:
    job = repository.resume(tx, job_id)
    if job is not None:
        return _told(tx, job, f"resumed by {by.name}")
    return _unless_ended(_existing(tx, job_id))


def retry(tx: Tx, job_id: JobId, by: Principal, settings: JobSettings) -> Job | None:
    """None: the run of the old job has not stopped yet; ask again in a moment."""
    old = _existing(tx, job_id)
    if old.state not in (JobState.FAILED, JobState.CANCELLED):
        raise Conflict(f"only a failed or cancelled job can be retried: {old.state}", field=["id"])
    newer = repository.retried_by(tx, job_id)
    if newer is not None:
        raise Conflict(f"{newer.id} is its retry already", field=["id"], hint="retry that one")
    holder = None if old.works_on is None else repository.holding(tx, old.works_on)
    if holder is not None and holder.id == old.id:
        return None
    if holder is not None:
        hint = "wait for it, or cancel it"
        raise Conflict(f"{holder.id} works on the same", field=["id"], hint=hint)
    files = repository.files(tx, job_id)
    new = NewJob(
        kind=old.kind,
        input=old.input,
        requested_by=by.name,
        subject_id=old.subject_id,
        dedupe_key=old.works_on,
        priority=old.priority,
        reserved_bytes=old.reserved_bytes,
        bytes_total=old.bytes_total,
        retry_of_id=old.id,
        files=[NewFile(f.path, f.bytes_total, f.blob_id, f.sha256) for f in files],
    )
    return queue(tx, new, settings)


def _told(tx: Tx, job: Job, line: str) -> Job:
    logs.write(tx, job.id, [logs.Line(line, LogLevel.WARNING)])
    append(tx, events.state_changed(job))
    return job


def _existing(tx: Tx, job_id: JobId) -> Job:
    job = repository.get(tx, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}", field=["id"])
    return job


def _unless_ended(job: Job) -> Job:
    if job.state.terminal:
        raise Conflict(f"the job has ended already: {job.state}", field=["id"])
    return job
