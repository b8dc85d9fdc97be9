from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    JobFields,
    JobFieldsError,  # noqa: F401
)


class JobUpdated(BaseModel):
    job_updated: "JobUpdatedJobUpdated" = Field(alias="jobUpdated")


class JobUpdatedJobUpdated(JobFields):
    files: "JobUpdatedJobUpdatedFiles"
    files_done: "JobUpdatedJobUpdatedFilesDone" = Field(alias="filesDone")


class JobUpdatedJobUpdatedFiles(BaseModel):
    total_count: int = Field(alias="totalCount")


class JobUpdatedJobUpdatedFilesDone(BaseModel):
    total_count: int = Field(alias="totalCount")
