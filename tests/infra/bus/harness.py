"""A hub and publishers for the length of a block, and waiting for signals with a deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from infra.bus.backend import StreamLogBackend
from infra.bus.eventhub import EventHub, History
from infra.bus.signal import Gap, Signal
from infra.bus.subscription import Subscription

DEADLINE_S = 20.0
# Long enough to prove that the transport delivered it and not the comparison with the log.
NEVER_IDLE_S = 60.0


@asynccontextmanager
async def running(url: str, history: History, **options: Any) -> AsyncIterator[EventHub]:
    async with EventHub(StreamLogBackend(url), history, **options) as hub:
        await connected(hub)
        yield hub


@asynccontextmanager
async def publishing(url: str, **options: Any) -> AsyncIterator[StreamLogBackend]:
    """As a process does that only publishes."""
    backend = StreamLogBackend(url, **options)
    await backend.connect()
    try:
        yield backend
    finally:
        await backend.disconnect()


@asynccontextmanager
async def publishers(url: str, count: int) -> AsyncIterator[list[StreamLogBackend]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(publishing(url)) for _ in range(count)]


def everything(signal: Signal) -> bool:
    return True


async def take(subscription: Subscription, count: int) -> list[Signal | Gap]:
    async with asyncio.timeout(DEADLINE_S):
        return [await anext(subscription) for _ in range(count)]


async def take_seqs(subscription: Subscription, count: int) -> list[int | None]:
    """The sequence numbers of the next `count` signals; a gap fails."""
    items = await take(subscription, count)
    assert all(isinstance(item, Signal) for item in items), items
    return [item.seq for item in items]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - counters of the hub have no event to wait for
            await asyncio.sleep(0.005)


async def connected(hub: EventHub) -> None:
    await until(lambda: hub.connected)
