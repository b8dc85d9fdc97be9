from datetime import datetime, timedelta
from typing import Annotated, Any, Optional

from mllm_client.scalars import (
    parse_bytes,
)
from pydantic import BeforeValidator, Field

from .base_model import BaseModel
from .enums import ErrorCode, JobKind, JobState, LogLevel


class ErrorFields(BaseModel):
    field: Optional[list[str]]
    code: ErrorCode
    message: str
    hint: Optional[str]


class EventFields(BaseModel):
    id: str
    type_: str = Field(alias="type")
    at: datetime
    subject_id: Optional[str] = Field(alias="subjectId")
    detail: Any


class JobFields(BaseModel):
    id: str
    kind: JobKind
    state: JobState
    stage: Optional[str]
    message: Optional[str]
    progress: Optional[float]
    bytes_done: Optional[Annotated[int, BeforeValidator(parse_bytes)]] = Field(alias="bytesDone")
    bytes_total: Optional[Annotated[int, BeforeValidator(parse_bytes)]] = Field(alias="bytesTotal")
    bytes_per_second: Optional[float] = Field(alias="bytesPerSecond")
    eta: Optional[timedelta]
    attempt: int
    max_attempts: int = Field(alias="maxAttempts")
    priority: int
    error: Optional["JobFieldsError"]
    input: Any
    result: Optional[Any]
    requested_by: str = Field(alias="requestedBy")
    created_at: datetime = Field(alias="createdAt")
    started_at: Optional[datetime] = Field(alias="startedAt")
    finished_at: Optional[datetime] = Field(alias="finishedAt")
    elapsed: Optional[timedelta]
    next_attempt_at: Optional[datetime] = Field(alias="nextAttemptAt")


class JobFieldsError(BaseModel):
    code: ErrorCode
    message: str
    hint: Optional[str]
    retryable: bool


class JobLogFields(BaseModel):
    cursor: str
    at: datetime
    level: LogLevel
    stage: Optional[str]
    message: str


class StorageFields(BaseModel):
    location: str
    root: str
    capacity: Annotated[int, BeforeValidator(parse_bytes)]
    available: Annotated[int, BeforeValidator(parse_bytes)]
    used: Annotated[int, BeforeValidator(parse_bytes)]
    reserved: Annotated[int, BeforeValidator(parse_bytes)]
    staging: Annotated[int, BeforeValidator(parse_bytes)]


class WeightsFields(BaseModel):
    id: str
    location: str
    path: str
    hub_repo: Optional[str] = Field(alias="hubRepo")
    revision: Optional[str]
    requested_revision: Optional[str] = Field(alias="requestedRevision")
    size: Annotated[int, BeforeValidator(parse_bytes)]
    file_count: int = Field(alias="fileCount")
    storage_uri: str = Field(alias="storageUri")
    inference_model_path: str = Field(alias="inferenceModelPath")
    license: Optional[str]
    installed_at: Optional[datetime] = Field(alias="installedAt")
    verified_at: Optional[datetime] = Field(alias="verifiedAt")
