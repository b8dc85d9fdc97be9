from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ErrorFields, JobFields


class WeightsInstall(BaseModel):
    weights_install: "WeightsInstallWeightsInstall" = Field(alias="weightsInstall")


class WeightsInstallWeightsInstall(BaseModel):
    job: Optional["WeightsInstallWeightsInstallJob"]
    storage_uri: Optional[str] = Field(alias="storageUri")
    inference_model_path: Optional[str] = Field(alias="inferenceModelPath")
    joined: bool
    user_errors: list["WeightsInstallWeightsInstallUserErrors"] = Field(alias="userErrors")


WeightsInstallWeightsInstallJob = JobFields
WeightsInstallWeightsInstallUserErrors = ErrorFields
