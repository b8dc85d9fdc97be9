from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields


class Jobs(BaseModel):
    jobs: "JobsJobs"


class JobsJobs(BaseModel):
    nodes: list["JobsJobsNodes"]
    page_info: "JobsJobsPageInfo" = Field(alias="pageInfo")
    total_count: int = Field(alias="totalCount")


JobsJobsNodes = JobFields


class JobsJobsPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")
