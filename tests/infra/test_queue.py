"""The queue of wake-ups: it carries ids, it tells what waits, and it never raises into a caller."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis

from infra.queue import CANCEL_CHANNEL, QUEUE, JobQueue
from infra.tasks import Background
from jobs.wakeups import Wakeups

NOBODY = "unix:///nonexistent/v.sock"
DEADLINE_S = 20


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[JobQueue]:
    queue = JobQueue(redis_url)
    yield queue
    await queue.aclose()


@pytest.fixture
async def unreachable() -> AsyncIterator[JobQueue]:
    queue = JobQueue(NOBODY)
    yield queue
    await queue.aclose()


async def until_depth(queue: JobQueue, count: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await queue.depth() != count:  # noqa: ASYNC110 — the queue has no event
            await asyncio.sleep(0.005)


async def test_wake_ups_wait_in_the_queue(queue: JobQueue):
    assert await queue.depth() == 0
    queue.wake(["job_a:1", "job_b:7"])
    await until_depth(queue, 2)
    assert await queue.waiting(["job_a:1", "job_a:2", "job_b:7"]) == {"job_a:1", "job_b:7"}
    assert await queue.waiting([]) == set()
    assert await queue.connected()


async def test_same_wake_up_is_queued_once(queue: JobQueue):
    for _ in range(3):
        queue.wake(["job_a:1"])
    await queue.aclose()
    assert await queue.depth() == 1


async def test_payload_is_json(queue: JobQueue, redis_url: str):
    """Whoever can write to Redis must not be able to run code here, as pickle would let them."""
    queue.wake(["job_a:1"])
    await until_depth(queue, 1)
    with redis.Redis.from_url(redis_url) as client:
        payload = client.get("arq:job:job_a:1")
    assert payload is not None
    assert payload.startswith(b"{")
    assert b'"job_a"' in payload


async def test_worker_hears_of_wake_ups_and_cancels(queue: JobQueue, redis_url: str):
    woken, cancelled = asyncio.Event(), asyncio.Queue[str]()
    wakeups = Wakeups(redis_url, wake=woken.set, cancelled=cancelled.put_nowait)
    async with Background() as background:
        background.start("wakeups", wakeups.poll_forever)
        background.start("cancels", wakeups.hear_cancels_forever)
        queue.wake(["job_a:1"])
        await asyncio.wait_for(woken.wait(), DEADLINE_S)
        await until_depth(queue, 0)
        with redis.Redis.from_url(redis_url) as client:
            async with asyncio.timeout(DEADLINE_S):
                while client.pubsub_numsub(CANCEL_CHANNEL)[0][1] == 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        queue.announce_cancel("job_b")
        assert await asyncio.wait_for(cancelled.get(), DEADLINE_S) == "job_b"
    await wakeups.aclose()


async def test_strange_entry_does_not_stop_the_worker(queue: JobQueue, redis_url: str):
    with redis.Redis.from_url(redis_url) as client:
        client.set("arq:job:strange", b"\x80\x05not json")
        client.zadd(QUEUE, {"strange": 1, "missing": 1})
    woken = asyncio.Event()
    wakeups = Wakeups(redis_url, wake=woken.set, cancelled=lambda _job_id: None)
    async with Background() as background:
        background.start("wakeups", wakeups.poll_forever)
        await until_depth(queue, 0)
        queue.wake(["job_a:1"])
        await asyncio.wait_for(woken.wait(), DEADLINE_S)
        await until_depth(queue, 0)
    await wakeups.aclose()


async def test_queue_that_is_away_is_told_and_raises_nothing(unreachable: JobQueue):
    began_s = time.monotonic()
    unreachable.wake(["job_a:1"])
    unreachable.announce_cancel("job_a")
    assert time.monotonic() - began_s < 0.5, "nobody waits for it"
    assert await unreachable.waiting(["job_a:1"]) is None
    assert await unreachable.waiting([]) is None
    assert await unreachable.depth() is None
    assert not await unreachable.connected()
