"""Putting a job into the world: its row, its files and `job.pending`, in the caller's
transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core import ids
from core.feed.service import append
from core.ids import JobId
from core.jobs import events, repository
from core.jobs.entity import Job, JobFile
from core.jobs.kinds import JobKind
from core.jobs.repository import database_time
from infra.db.store import Tx
from infra.settings import Jobs as JobSettings


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to queue. `dedupe_key` names what it works on: no two jobs hold the same one at a
    time.
    """

    kind: JobKind
    input: dict[str, Any]
    requested_by: str
    subject_id: str | None = None
    dedupe_key: str | None = None
    idempotency_key: str | None = None
    priority: int = 0
    reserved_bytes: int = 0
    bytes_total: int | None = None
    retry_of_id: JobId | None = None
    files: Sequence["NewFile"] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class NewFile:
    path: str
    size_bytes: int
    blob_id: str
    sha256: str | None


def queue(tx: Tx, new: NewJob, settings: JobSettings) -> Job:
    """Adds the job's row, its files and `job.pending`; a worker is woken once the transaction is
    committed.

    The caller has looked for a holder of `dedupe_key` and for `idempotency_key` in this
    transaction.
    """
    at = database_time(tx)
    job = Job(
        id=JobId(ids.new(ids.Prefix.JOB)),
        kind=new.kind,
        input=new.input,
        requested_by=new.requested_by,
        created_at=at,
        run_at=at,
        max_attempts=settings.max_attempts_by_kind.get(new.kind, settings.max_attempts),
        max_crashes=settings.max_crashes,
        priority=new.priority,
        subject_id=new.subject_id,
        dedupe_key=new.dedupe_key,
        works_on=new.dedupe_key,
        retry_of_id=new.retry_of_id,
        idempotency_key=new.idempotency_key,
        reserved_bytes=new.reserved_bytes,
        bytes_total=new.bytes_total,
        bytes_done=None if new.bytes_total is None else 0,
        dispatch_n=1,
        dispatched_at=at,
        message="queued",
    )
    files = [
        JobFile(
            job_id=job.id,
            path=f.path,
            bytes_total=f.size_bytes,
            blob_id=f.blob_id,
            sha256=f.sha256,
        )
        for f in new.files
    ]
    repository.add(tx, job, files)
    append(tx, events.state_changed(job))
    tx.outbox.wake.append(f"{job.id}:1")
    return job
