"""Every type of event; docs/events.md says what each carries, and a test compares the two."""

from enum import StrEnum


class EventType(StrEnum):
    JOB_PENDING = "job.pending"
    JOB_RUNNING = "job.running"
    JOB_PAUSED = "job.paused"
    JOB_PROGRESS = "job.progress"
    JOB_LOG = "job.log"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    WEIGHTS_INSTALLED = "weights.installed"


# Samples of something continuous: left out where only the last few events are asked for.
SAMPLES = frozenset({EventType.JOB_PROGRESS})
