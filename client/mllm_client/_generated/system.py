from datetime import timedelta
from typing import Any

from pydantic import Field

from .base_model import BaseModel
from .enums import CheckLevel
from .fragments import StorageFields


class System(BaseModel):
    system: "SystemSystem"


class SystemSystem(BaseModel):
    version: str
    uptime: timedelta
    mode: str
    subsystems: list["SystemSystemSubsystems"]
    workers: int
    queue_depth: int = Field(alias="queueDepth")
    job_counts: Any = Field(alias="jobCounts")
    storage: list["SystemSystemStorage"]
    settings: Any


class SystemSystemSubsystems(BaseModel):
    name: str
    state: CheckLevel
    message: str


SystemSystemStorage = StorageFields
