"""The enums of core, registered once. Import them from here, so that they are registered."""

import strawberry

from core.errors import ErrorCode
from core.jobs.kinds import JobFileState, JobKind, JobState, LogLevel
from core.principal import Scope
from core.system.state import CheckLevel

__all__ = ["CheckLevel", "ErrorCode", "JobFileState", "JobKind", "JobState", "LogLevel", "Scope"]

strawberry.enum(Scope, description="WRITE implies READ; ADMIN implies both.")
strawberry.enum(JobKind, description="What a job does.")
strawberry.enum(
    JobState,
    description="COMPLETED, FAILED and CANCELLED are final: an ended job never lives again.",
)
strawberry.enum(JobFileState, description="How far one file of a job is.")
strawberry.enum(LogLevel, description="How much a line of a job's log matters.")
strawberry.enum(CheckLevel, description="WARN: works less well than it could. FAIL: does not work.")
strawberry.enum(ErrorCode, description="Why something was refused or failed.")
