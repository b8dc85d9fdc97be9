"""What the feed hears of jobs."""

from collections.abc import Sequence
from typing import Any

from core.feed.kinds import EventType
from core.feed.service import NewEvent
from core.jobs.entity import Job, JobLog
from core.jobs.kinds import JobState

_TYPES = {
    JobState.PENDING: EventType.JOB_PENDING,
    JobState.RUNNING: EventType.JOB_RUNNING,
    JobState.PAUSED: EventType.JOB_PAUSED,
    JobState.COMPLETED: EventType.JOB_COMPLETED,
    JobState.FAILED: EventType.JOB_FAILED,
    JobState.CANCELLED: EventType.JOB_CANCELLED,
}


def state_changed(job: Job) -> NewEvent:
    """`job.<state>` with the whole job, for a state that the job has just entered."""
    return NewEvent(_TYPES[job.state], job.id, snapshot(job))


def progress(job: Job) -> NewEvent:
    """A sample of the progress: at most one a second for each job."""
    detail = {
        "jobId": job.id,
        "stage": job.stage,
        "progress": job.progress,
        "bytesDone": _text(job.bytes_done),
        "bytesTotal": _text(job.bytes_total),
        "bytesPerSecond": job.bytes_per_second,
    }
    return NewEvent(EventType.JOB_PROGRESS, job.id, detail)


def logged(job_id: str, lines: Sequence[JobLog]) -> NewEvent:
    detail = {
        "jobId": job_id,
        "lines": [
            {
                "n": x.n,
                "at": x.at.isoformat(),
                "level": x.level,
                "stage": x.stage,
                "message": x.message,
            }
            for x in lines
        ],
    }
    return NewEvent(EventType.JOB_LOG, job_id, detail)


def snapshot(job: Job) -> dict[str, Any]:
    """The job as JSON; byte counts are decimal strings, as everywhere in the API."""
    error = job.error
    return {
        "jobId": job.id,
        "kind": job.kind,
        "state": job.state,
        "subjectId": job.subject_id,
        "retryOf": job.retry_of_id,
        "stage": job.stage,
        "message": job.message,
        "progress": job.progress,
        "bytesDone": _text(job.bytes_done),
        "bytesTotal": _text(job.bytes_total),
        "attempt": job.attempt,
        "maxAttempts": job.max_attempts,
        "requestedBy": job.requested_by,
        "input": job.input,
        "result": job.result,
        "error": None
        if error is None
        else {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "retryable": error.retryable,
        },
    }


def _text(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else str(size_bytes)
