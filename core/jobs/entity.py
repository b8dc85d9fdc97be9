"""A job, its files and its log lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import now
from core.errors import ErrorCode
from core.ids import JobId
from core.jobs.kinds import JobFileState, JobKind, JobState, LogLevel
from infra.db.base import Base
from infra.db.types import UtcDateTime, enum_column


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed, or why its last attempt did."""

    code: ErrorCode
    message: str
    hint: str | None
    retryable: bool


class Job(Base, kw_only=True):
    """Long work as a row.

    `epoch` is the fence: every claim, cancel and expiry raises it, and every write of a run names
    the epoch it runs under. `works_on` names what the job works on; `dedupe_key` is the lock on it,
    the same name, held from the first row to the end of the work, which after a cancel is later
    than the state says. `reserved_bytes` counts against the volume for just as long.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_due", "state", "run_at"),
        Index("ix_jobs_lease", "lease_owner", "state"),
    )

    id: Mapped[JobId] = mapped_column(String(32), primary_key=True)
    kind: Mapped[JobKind] = mapped_column(enum_column(JobKind))
    state: Mapped[JobState] = mapped_column(enum_column(JobState), default=JobState.PENDING)
    input: Mapped[dict[str, Any]]
    requested_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    max_attempts: Mapped[int]
    max_crashes: Mapped[int]
    priority: Mapped[int] = mapped_column(default=0)
    subject_id: Mapped[str | None] = mapped_column(String(128), index=True, default=None)
    retry_of_id: Mapped[JobId | None] = mapped_column(String(32), unique=True, default=None)
    dedupe_key: Mapped[str | None] = mapped_column(String(1200), unique=True, default=None)
    works_on: Mapped[str | None] = mapped_column(String(1200), default=None)
    idempotency_key: Mapped[str | None] = mapped_column(String(200), unique=True, default=None)
    reserved_bytes: Mapped[int] = mapped_column(BigInteger, default=0)

    stage: Mapped[str | None] = mapped_column(String(64), default=None)
    message: Mapped[str | None] = mapped_column(Text, default=None)
    bytes_done: Mapped[int | None] = mapped_column(BigInteger, default=None)
    bytes_total: Mapped[int | None] = mapped_column(BigInteger, default=None)
    bytes_per_second: Mapped[float | None] = mapped_column(default=None)
    result: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    error_code: Mapped[ErrorCode | None] = mapped_column(enum_column(ErrorCode), default=None)
    error_message: Mapped[str | None] = mapped_column(Text, default=None)
    error_hint: Mapped[str | None] = mapped_column(Text, default=None)
    error_retryable: Mapped[bool | None] = mapped_column(default=None)

    attempt: Mapped[int] = mapped_column(default=0)
    crashes: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(80), default=None)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    dispatch_n: Mapped[int] = mapped_column(default=0)
    dispatched_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    log_count: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True, default=None)

    @property
    def error(self) -> JobError | None:
        if self.error_code is None:
            return None
        return JobError(
            self.error_code, self.error_message or "", self.error_hint, bool(self.error_retryable)
        )

    @property
    def progress(self) -> float | None:
        """0..1; None until the total is known."""
        if self.state is JobState.COMPLETED:
            return 1.0
        if self.bytes_done is None or self.bytes_total is None:
            return None
        return min(1.0, self.bytes_done / self.bytes_total) if self.bytes_total else 1.0

    @property
    def eta(self) -> timedelta | None:
        """What is left at the present rate; None while there is no rate."""
        if self.state is not JobState.RUNNING or not self.bytes_per_second:
            return None
        if self.bytes_done is None or self.bytes_total is None:
            return None
        return timedelta(
            seconds=max(0.0, self.bytes_total - self.bytes_done) / self.bytes_per_second
        )

    @property
    def elapsed(self) -> timedelta | None:
        """From the first start to the end, or until now."""
        if self.started_at is None:
            return None
        return max(timedelta(0), (self.finished_at or now()) - self.started_at)

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the next attempt is due; None unless it waits for one."""
        return self.run_at if self.state is JobState.PENDING and self.attempt > 0 else None

    def show(self, tick: Mapping[str, Any]) -> None:
        """Takes the numbers of a progress tick, which are newer than the row they are shown
        with.
        """
        if self.state is JobState.RUNNING and tick.get("epoch") == self.epoch:
            self.bytes_done = int(tick["bytesDone"])
            self.bytes_per_second = tick["bytesPerSecond"]
            self.stage = tick["stage"]


class JobFile(Base, kw_only=True):
    """One file of a job: what is to be fetched, and how far that has come."""

    __tablename__ = "job_files"

    job_id: Mapped[JobId] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(String(1024), primary_key=True)
    bytes_total: Mapped[int] = mapped_column(BigInteger)
    blob_id: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    bytes_done: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[JobFileState] = mapped_column(
        enum_column(JobFileState), default=JobFileState.PENDING
    )


class JobLog(Base, kw_only=True):
    """One line of a job's log; `n` counts from 1 within the job, over all attempts."""

    __tablename__ = "job_logs"

    job_id: Mapped[JobId] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    n: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    level: Mapped[LogLevel] = mapped_column(enum_column(LogLevel))
    message: Mapped[str] = mapped_column(Text)
    stage: Mapped[str | None] = mapped_column(String(64), default=None)


class Worker(Base, kw_only=True):
    """A worker process that is there. `alive_until`: pushed ahead by each heartbeat; past: it is
    gone.
    """

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    alive_until: Mapped[datetime] = mapped_column(UtcDateTime)
