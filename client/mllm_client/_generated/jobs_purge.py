from pydantic import Field

from .base_model import BaseModel
from .fragments import ErrorFields


class JobsPurge(BaseModel):
    jobs_purge: "JobsPurgeJobsPurge" = Field(alias="jobsPurge")


class JobsPurgeJobsPurge(BaseModel):
    purged_count: int = Field(alias="purgedCount")
    user_errors: list["JobsPurgeJobsPurgeUserErrors"] = Field(alias="userErrors")


JobsPurgeJobsPurgeUserErrors = ErrorFields
