"""Whatever happens to the server, the publishers and the database, the log arrives as it is."""

import asyncio
import random

import pytest

from infra.bus.backend import STREAM
from infra.bus.signal import CHANNEL, Signal
from tests.infra.bus.harness import DEADLINE_S, everything, publishers, running, take

TOTAL = 600  # at least; each publisher ends after its own last one


async def commit_and_publish(backend, history, chance):
    """One in ten processes dies between its commit and its publish."""
    while history.committed < TOTAL:
        signal = history.commit(f"job_{chance.randrange(5)}")
        await asyncio.sleep(chance.random() * 0.01)
        if chance.random() < 0.9:
            await backend.publish(CHANNEL, signal.encode())
        if chance.random() < 0.3:
            await backend.publish(CHANNEL, Signal("job.progress", signal.subject).encode())


async def break_things(server, history, chance):
    while history.committed < TOTAL:
        match chance.choice(["kill", "wipe", "trim", "garbage", "database", "nothing"]):
            case "kill":
                server.kill()
                await asyncio.sleep(chance.random() * 0.2)
                server.start()
            case "wipe":
                server.command("FLUSHALL")
            case "trim":
                server.command("XTRIM", STREAM, "MAXLEN", "1")
            case "garbage":
                server.command("XADD", STREAM, "*", "c", CHANNEL, "m", "garbage")
            case "database":
                history.available = False
                await asyncio.sleep(chance.random() * 0.2)
                history.available = True
        await asyncio.sleep(chance.random() * 0.05)


async def read_all(hub):
    async with hub.subscribe(everything) as subscription:
        items = []
        while not items or items[-1].seq != TOTAL:
            items += await take(subscription, 1)
            assert isinstance(items[-1], Signal), items[-1]
        return items


@pytest.mark.parametrize("seed", range(3))
async def test_every_reader_sees_the_log_in_order_and_once(server, history, seed):
    chance = random.Random(seed)
    async with (
        running(server.url, history, idle_s=0.2, queue_size=2 * TOTAL) as hub,
        publishers(server.url, 3) as backends,
    ):
        readers = [asyncio.create_task(read_all(hub)) for _ in range(3)]
        async with asyncio.TaskGroup() as group:
            group.create_task(break_things(server, history, chance))
            for backend in backends:
                group.create_task(commit_and_publish(backend, history, chance))
        for items in await asyncio.wait_for(asyncio.gather(*readers), DEADLINE_S):
            durable = [item.seq for item in items if item.seq is not None]
            assert durable == list(range(1, TOTAL + 1))
