from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import JobState
from .fragments import (
    ErrorFields,
    JobFields,
    JobFieldsError,  # noqa: F401
)


class JobRetry(BaseModel):
    job_retry: "JobRetryJobRetry" = Field(alias="jobRetry")


class JobRetryJobRetry(BaseModel):
    job: Optional["JobRetryJobRetryJob"]
    user_errors: list["JobRetryJobRetryUserErrors"] = Field(alias="userErrors")


class JobRetryJobRetryJob(JobFields):
    retry_of: Optional["JobRetryJobRetryJobRetryOf"] = Field(alias="retryOf")


class JobRetryJobRetryJobRetryOf(BaseModel):
    id: str
    state: JobState


JobRetryJobRetryUserErrors = ErrorFields
