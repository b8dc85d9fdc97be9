from typing import Annotated, Optional

from mllm_client.scalars import parse_bytes
from pydantic import BeforeValidator, Field

from .base_model import BaseModel
from .fragments import WeightsFields


class AllWeights(BaseModel):
    all_weights: "AllWeightsAllWeights" = Field(alias="allWeights")


class AllWeightsAllWeights(BaseModel):
    nodes: list["AllWeightsAllWeightsNodes"]
    page_info: "AllWeightsAllWeightsPageInfo" = Field(alias="pageInfo")
    total_count: int = Field(alias="totalCount")
    total_size: Annotated[int, BeforeValidator(parse_bytes)] = Field(alias="totalSize")


AllWeightsAllWeightsNodes = WeightsFields


class AllWeightsAllWeightsPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")
