from typing import Annotated, Optional

from mllm_client.scalars import parse_bytes
from pydantic import BeforeValidator, Field

from .base_model import BaseModel
from .fragments import WeightsFields


class Weights(BaseModel):
    weights: Optional["WeightsWeights"]


class WeightsWeights(WeightsFields):
    install_job: Optional["WeightsWeightsInstallJob"] = Field(alias="installJob")
    files: "WeightsWeightsFiles"


class WeightsWeightsInstallJob(BaseModel):
    id: str


class WeightsWeightsFiles(BaseModel):
    nodes: list["WeightsWeightsFilesNodes"]
    page_info: "WeightsWeightsFilesPageInfo" = Field(alias="pageInfo")


class WeightsWeightsFilesNodes(BaseModel):
    path: str
    size: Annotated[int, BeforeValidator(parse_bytes)]
    sha_256: Optional[str] = Field(alias="sha256")
    verified: bool


class WeightsWeightsFilesPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")
