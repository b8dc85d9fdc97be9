from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ErrorFields, JobFields


class JobPause(BaseModel):
    job_pause: "JobPauseJobPause" = Field(alias="jobPause")


class JobPauseJobPause(BaseModel):
    job: Optional["JobPauseJobPauseJob"]
    user_errors: list["JobPauseJobPauseUserErrors"] = Field(alias="userErrors")


JobPauseJobPauseJob = JobFields
JobPauseJobPauseUserErrors = ErrorFields
