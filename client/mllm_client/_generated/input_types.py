from datetime import datetime
from typing import Annotated, Optional

from mllm_client.scalars import serialize_datetime
from pydantic import Field, PlainSerializer

from .base_model import BaseModel
from .enums import JobKind, JobState


class JobFilter(BaseModel):
    """Which jobs; what is left out does not matter."""

    kinds: Optional[list[JobKind]] = None
    "Any of these."
    states: Optional[list[JobState]] = None
    "Any of these."
    subject_id: Optional[str] = Field(alias="subjectId", default=None)
    "What they worked on, e.g. wts_01j…"
    since: Optional[Annotated[datetime, PlainSerializer(serialize_datetime)]] = None
    "Created then or later."


class WeightsInstallInput(BaseModel):
    """What to install, and where."""

    hub_repo: str = Field(alias="hubRepo")
    "owner/name on the hub."
    revision: Optional[str] = None
    "Branch, tag or commit; pinned to a commit. Default: the main branch."
    location: str = "default"
    "Which volume."
    target: Optional[str] = None
    "Path below the root. Default: the repository's name."
    allow: Optional[list[str]] = None
    "Glob patterns over file paths: only these files. Default: all."
    ignore: Optional[list[str]] = None
    "Glob patterns over file paths: not these files."
    overwrite: bool = False
    "Replace what is installed at the target, once the new is complete."
    priority: int = 0
    "-100 to 100; higher runs first."
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    "A retry with the same key returns the first call's job."
