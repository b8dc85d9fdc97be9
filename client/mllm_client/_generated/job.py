from typing import Annotated, Optional

from mllm_client.scalars import parse_bytes
from pydantic import BeforeValidator, Field

from .base_model import BaseModel
from .enums import JobFileState, JobState
from .fragments import (
    JobFields,
    JobFieldsError,  # noqa: F401
)


class Job(BaseModel):
    job: Optional["JobJob"]


class JobJob(JobFields):
    retry_of: Optional["JobJobRetryOf"] = Field(alias="retryOf")
    retried_by: Optional["JobJobRetriedBy"] = Field(alias="retriedBy")
    files: "JobJobFiles"


class JobJobRetryOf(BaseModel):
    id: str
    state: JobState


class JobJobRetriedBy(BaseModel):
    id: str
    state: JobState


class JobJobFiles(BaseModel):
    nodes: list["JobJobFilesNodes"]
    page_info: "JobJobFilesPageInfo" = Field(alias="pageInfo")
    total_count: int = Field(alias="totalCount")


class JobJobFilesNodes(BaseModel):
    path: str
    bytes_done: Annotated[int, BeforeValidator(parse_bytes)] = Field(alias="bytesDone")
    bytes_total: Annotated[int, BeforeValidator(parse_bytes)] = Field(alias="bytesTotal")
    state: JobFileState


class JobJobFilesPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")
