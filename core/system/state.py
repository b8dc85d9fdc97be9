"""What an installation says of itself. Never stored."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from core.weights.volume import StorageUsage


class CheckLevel(StrEnum):
    PASS = "PASS"  # noqa: S105 — a verdict, not a password
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Subsystem:
    """A part of the installation. WARN: it works less well; FAIL: something does not work."""

    name: str
    state: CheckLevel
    message: str


@dataclass(frozen=True, slots=True)
class System:
    """`uptime`: of the process that answers. `queue_depth`: pending jobs. `settings`: without
    secrets.
    """

    version: str
    uptime: timedelta
    mode: str
    subsystems: list[Subsystem]
    workers: int
    queue_depth: int
    job_counts: dict[str, int]
    storage: list[StorageUsage]
    settings: dict[str, Any]
