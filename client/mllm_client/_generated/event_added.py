from typing import Literal, Optional, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import EventFields


class EventAdded(BaseModel):
    event_added: Union["EventAddedEventAddedEvent", "EventAddedEventAddedEventGap"] = Field(
        alias="eventAdded"
    )


class EventAddedEventAddedEvent(EventFields):
    typename__: Literal["Event"] = Field(alias="__typename")


class EventAddedEventAddedEventGap(BaseModel):
    typename__: Literal["EventGap"] = Field(alias="__typename")
    from_: Optional[str] = Field(alias="from")
    to: str
    reason: str
