from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import JobState
from .fragments import JobLogFields


class JobLogs(BaseModel):
    job: Optional["JobLogsJob"]


class JobLogsJob(BaseModel):
    id: str
    state: JobState
    logs: "JobLogsJobLogs"


class JobLogsJobLogs(BaseModel):
    nodes: list["JobLogsJobLogsNodes"]
    page_info: "JobLogsJobLogsPageInfo" = Field(alias="pageInfo")


JobLogsJobLogsNodes = JobLogFields


class JobLogsJobLogsPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")
