"""The event log: pages of it, and following it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from core.feed.entity import Event
from core.feed.replay import EventGap, follow
from core.paging import Page, check_first
from infra.bus.signal import Signal
from resolvers.context import Context


async def find(ctx: Context, event_id: str) -> Event | None:
    return await ctx.services.feed.find(event_id)


async def page(
    ctx: Context,
    types: Sequence[str] | None,
    since: datetime | None,
    *,
    first: int,
    after: str | None,
) -> Page[Event]:
    return await ctx.services.feed.page(
        globs=types, since=since, first=check_first(first), after=after
    )


async def added(
    ctx: Context, types: Sequence[str] | None, after: str | None
) -> AsyncIterator[Event | EventGap]:
    async for item in follow(ctx.services.feed, ctx.services.events, globs=types, after=after):
        if not isinstance(item, Signal):
            yield item
