"""Waiting for signals with a deadline."""

import asyncio
from collections.abc import Callable

from infra.bus.eventhub import EventHub
from infra.bus.signal import Gap, Signal
from infra.bus.subscription import Subscription

DEADLINE_S = 20.0


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
