"""What a job can be, and what state it can be in."""

from enum import StrEnum


class JobKind(StrEnum):
    WEIGHTS_INSTALL = "WEIGHTS_INSTALL"


class JobState(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})


class JobFileState(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    REUSED = "REUSED"
    VERIFIED = "VERIFIED"
    FAILED = "FAILED"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
