from pydantic import Field

from .base_model import BaseModel
from .fragments import JobLogFields


class JobLogAdded(BaseModel):
    job_log_added: "JobLogAddedJobLogAdded" = Field(alias="jobLogAdded")


JobLogAddedJobLogAdded = JobLogFields
