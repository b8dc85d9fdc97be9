"""The event log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import strawberry

from core.feed.entity import Event as EventRow
from core.feed.replay import EventGap as EventGapState
from core.paging import Page
from resolvers import feed as resolvers
from resolvers import nodes
from schema.nodes import Node
from schema.paging import PageInfo, page_info
from schema.scalars import Json

Types = Annotated[
    list[str] | None,
    strawberry.argument(description="Types or globs such as job.*. Default: all."),
]


@strawberry.type(
    description="Something that happened. Types are dotted, e.g. job.completed; "
    "docs/events.md lists them all."
)
class Event(Node):
    type: str = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When.")
    subject_id: strawberry.ID | None = strawberry.field(
        description="To what. Null: nothing in particular."
    )
    detail: Json = strawberry.field(description="As docs/events.md says for the type.")

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, EventRow)

    @strawberry.field(
        graphql_type=Node | None,
        description="Null where it is gone, or the caller may not see it.",
    )
    async def subject(self, info: strawberry.Info) -> nodes.Row | None:
        row: Any = self
        return None if row.subject_id is None else await nodes.find(info.context, row.subject_id)


@strawberry.type(
    description="Events between these ids are no longer held: read the current state, then go on."
)
class EventGap:
    from_: strawberry.ID | None = strawberry.field(name="from", description="Null: not known.")
    to: strawberry.ID = strawberry.field(description="The first event that is held again.")
    reason: str = strawberry.field(description="not-held or trimmed.")

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, EventGapState)


FeedItem = Annotated[
    Event | EventGap, strawberry.union("FeedItem", description="An event, or word of lost ones.")
]


@strawberry.type(description="A page of events, oldest first.")
class EventConnection:
    page: strawberry.Private[Page[EventRow]]

    @strawberry.field(graphql_type=list[Event], description="The events.")
    def nodes(self) -> list[EventRow]:
        return list(self.page.rows)

    @strawberry.field(description="Where the page lies; cursors are event ids.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)


@strawberry.type
class FeedQuery:
    @strawberry.field(
        description="Events that follow `after` or `since`, else the last ones; oldest first."
    )
    async def events(
        self,
        info: strawberry.Info,
        types: Types = None,
        since: Annotated[datetime | None, strawberry.argument(description="Then or later.")] = None,
        first: Annotated[int, strawberry.argument(description="Page size, 1 to 100.")] = 50,
        after: Annotated[
            strawberry.ID | None, strawberry.argument(description="An event's id.")
        ] = None,
    ) -> EventConnection:
        page = await resolvers.page(info.context, types, since, first=first, after=after)
        return EventConnection(page=page)


@strawberry.type
class FeedSubscription:
    @strawberry.subscription(
        graphql_type=AsyncIterator[FeedItem],
        description="The feed, live. With `after` it replays what was missed, in order and once, "
        "or says what it no longer holds.",
    )
    async def event_added(
        self,
        info: strawberry.Info,
        types: Types = None,
        after: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="An event's id. Default: from now on."),
        ] = None,
    ) -> AsyncIterator[EventRow | EventGapState]:
        async for item in resolvers.added(info.context, types, after):
            yield item
