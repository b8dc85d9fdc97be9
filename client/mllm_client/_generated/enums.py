from enum import Enum


class CheckLevel(str, Enum):
    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


class ErrorCode(str, Enum):
    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    CONFLICT = "CONFLICT"
    IN_USE = "IN_USE"
    POLICY_DENIED = "POLICY_DENIED"
    GATED = "GATED"
    NO_SPACE = "NO_SPACE"
    CORRUPT = "CORRUPT"
    TIMEOUT = "TIMEOUT"
    CRASHED = "CRASHED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


class JobFileState(str, Enum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    REUSED = "REUSED"
    VERIFIED = "VERIFIED"
    FAILED = "FAILED"


class JobKind(str, Enum):
    WEIGHTS_INSTALL = "WEIGHTS_INSTALL"


class JobState(str, Enum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class LogLevel(str, Enum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Scope(str, Enum):
    READ = "READ"
    WRITE = "WRITE"
    ADMIN = "ADMIN"
