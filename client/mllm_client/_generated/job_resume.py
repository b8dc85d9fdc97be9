from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ErrorFields, JobFields


class JobResume(BaseModel):
    job_resume: "JobResumeJobResume" = Field(alias="jobResume")


class JobResumeJobResume(BaseModel):
    job: Optional["JobResumeJobResumeJob"]
    user_errors: list["JobResumeJobResumeUserErrors"] = Field(alias="userErrors")


JobResumeJobResumeJob = JobFields
JobResumeJobResumeUserErrors = ErrorFields
