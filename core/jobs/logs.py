"""A job's log: lines as rows, counted by the job itself, and one `job.log` event for each batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from core.clock import now
from core.feed.service import append
from core.ids import JobId
from core.jobs import events
from core.jobs.entity import Job, JobLog
from core.jobs.kinds import LogLevel
from infra.db.store import Tx


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a run wants to log."""

    message: str
    level: LogLevel = LogLevel.INFO
    stage: str | None = None
    at: datetime | None = None


# 4 KiB: room for a stack of causes, too little for a file that was logged by mistake.
MESSAGE_CHARS = 4096


def write(tx: Tx, job_id: JobId, lines: Sequence[Line], *, epoch: int | None = None) -> bool:
    """Appends the lines; with an epoch only where the run is not fenced, else False."""
    if not lines:
        return True
    query = update(Job).where(Job.id == job_id)
    if epoch is not None:
        query = query.where(Job.epoch == epoch)
    last = tx.session.execute(
        query.values(log_count=Job.log_count + len(lines)).returning(Job.log_count)
    ).scalar_one_or_none()
    if last is None:
        return False
    rows = [
        JobLog(
            job_id=job_id,
            n=last - len(lines) + 1 + i,
            at=line.at or now(),
            level=line.level,
            stage=line.stage,
            message=line.message[:MESSAGE_CHARS],
        )
        for i, line in enumerate(lines)
    ]
    tx.session.execute(
        insert(JobLog),
        [
            {
                "job_id": x.job_id,
                "n": x.n,
                "at": x.at,
                "level": x.level,
                "stage": x.stage,
                "message": x.message,
            }
            for x in rows
        ],
    )
    append(tx, events.logged(job_id, rows))
    return True


def listed(tx: Tx, job_id: str, *, after_n: int, limit: int) -> Sequence[JobLog]:
    """Lines with a higher number, ascending."""
    query = (
        select(JobLog)
        .where(JobLog.job_id == job_id, JobLog.n > after_n)
        .order_by(JobLog.n)
        .limit(limit)
    )
    return tx.session.scalars(query).all()
