from datetime import datetime
from typing import Annotated, Optional

from mllm_client.scalars import serialize_datetime
from pydantic import Field, PlainSerializer

from .base_model import BaseModel
from .enums import JobKind, JobState


class JobFilter(BaseModel):
    kinds: Optional[list[JobKind]] = None
    states: Optional[list[JobState]] = None
    subject_id: Optional[str] = Field(alias="subjectId", default=None)
    since: Optional[Annotated[datetime, PlainSerializer(serialize_datetime)]] = None


class WeightsInstallInput(BaseModel):
    hub_repo: str = Field(alias="hubRepo")
    revision: Optional[str] = None
    location: str = "default"
    target: Optional[str] = None
    allow: Optional[list[str]] = None
    ignore: Optional[list[str]] = None
    overwrite: bool = False
    priority: int = 0
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
