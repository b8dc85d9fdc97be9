from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ErrorFields, JobFields


class JobCancel(BaseModel):
    job_cancel: "JobCancelJobCancel" = Field(alias="jobCancel")


class JobCancelJobCancel(BaseModel):
    job: Optional["JobCancelJobCancelJob"]
    user_errors: list["JobCancelJobCancelUserErrors"] = Field(alias="userErrors")


JobCancelJobCancelJob = JobFields
JobCancelJobCancelUserErrors = ErrorFields
