from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields


class JobsUpdated(BaseModel):
    jobs_updated: "JobsUpdatedJobsUpdated" = Field(alias="jobsUpdated")


JobsUpdatedJobsUpdated = JobFields
