"""The queue of one reader under a hub: bounded, coalesced, and honest about what it lost."""

import asyncio

import pytest

from infra.bus.signal import CHANNEL, Gap, Signal
from tests.infra.bus.harness import (
    DEADLINE_S,
    NEVER_IDLE_S,
    everything,
    publishing,
    running,
    take,
    take_seqs,
    until,
)


@pytest.fixture
async def hub(server, history):
    async with running(server.url, history, idle_s=NEVER_IDLE_S, queue_size=64) as hub:
        yield hub


@pytest.fixture
async def publish(server, hub):
    """Publishes and returns when the hub has handed everything on."""
    async with publishing(server.url) as backend:

        async def publish(*signals):
            for signal in signals:
                await backend.publish(CHANNEL, signal.encode())
            received = hub.stats.received + len(signals)
            await until(lambda: hub.stats.received == received)

        yield publish


async def test_slow_consumer_gets_one_gap_and_the_newest(hub, publish, history):
    read = []

    async def read_promptly(subscription):
        async for signal in subscription:
            read.append(signal.seq)
            if signal.seq == 500:
                return

    async with hub.subscribe(everything) as slow, hub.subscribe(everything) as prompt:
        reader = asyncio.create_task(read_promptly(prompt))
        await publish(*(history.commit("job_a") for _ in range(500)))
        await asyncio.wait_for(reader, DEADLINE_S)
        [gap] = await take(slow, 1)
        lost = gap.to_seq
        assert gap == Gap("slow-consumer", from_seq=1, to_seq=lost)
        assert 500 - 64 < lost < 500
        assert await take_seqs(slow, 500 - lost) == list(range(lost + 1, 501))
        assert hub.stats.dropped == lost
    assert read == list(range(1, 501))


async def test_overflow_of_ticks_alone_is_a_gap_without_numbers(hub, publish):
    ticks = [Signal("job.progress", f"job_{number}") for number in range(65)]
    async with hub.subscribe(everything) as subscription:
        await publish(*ticks)
        gap = Gap("slow-consumer", from_seq=None, to_seq=None)
        assert await take(subscription, 2) == [gap, ticks[-1]]


async def test_gap_of_the_log_in_a_lost_backlog_is_part_of_its_gap(hub, publish, history):
    async with hub.subscribe(everything) as subscription:
        for _ in range(3):
            history.commit("job_a")
        history.trim(to_seq=3)
        await publish(*(history.commit("job_a") for _ in range(64)))
        [gap, signal] = await take(subscription, 2)
        assert gap == Gap("slow-consumer", from_seq=1, to_seq=66)
        assert signal.seq == 67


async def test_newer_signals_take_the_place_of_older_ones_of_their_subject(hub, publish, history):
    async with hub.subscribe(everything, coalesce=True) as subscription:
        signals = [history.commit(f"job_{number % 3}") for number in range(300)]
        await publish(*signals)
        assert await take(subscription, 3) == signals[-3:]
        assert (hub.stats.coalesced, hub.stats.dropped) == (297, 0)


async def test_signals_without_a_subject_are_not_coalesced(hub, publish):
    ticks = [Signal("system.changed", None, detail={"n": number}) for number in range(3)]
    async with hub.subscribe(everything, coalesce=True) as subscription:
        await publish(*ticks)
        assert await take(subscription, 3) == ticks


async def test_tick_never_takes_the_place_of_a_durable_signal(hub, publish, history):
    completed = history.commit("job_a", type="job.completed")
    ticks = [Signal("job.progress", "job_a", detail={"bytes": number}) for number in range(3)]
    async with hub.subscribe(everything, coalesce=True) as subscription:
        await publish(completed, *ticks)
        assert await take(subscription, 2) == [completed, ticks[-1]]


async def test_durable_signal_takes_the_place_of_ticks(hub, publish, history):
    tick = Signal("job.progress", "job_a")
    async with hub.subscribe(everything, coalesce=True) as subscription:
        completed = history.commit("job_a", type="job.completed")
        last = Signal("job.progress", "job_b")
        await publish(tick, completed, last)
        assert await take(subscription, 2) == [completed, last]


async def test_coalescing_queue_is_bounded_too(hub, publish, history):
    async with hub.subscribe(everything, coalesce=True) as subscription:
        await publish(*(history.commit(f"job_{number}") for number in range(65)))
        [gap, signal] = await take(subscription, 2)
        assert gap == Gap("slow-consumer", from_seq=1, to_seq=64)
        assert signal.seq == 65


async def test_subscription_to_a_subject_sees_no_other(hub, publish, history):
    asked = []

    def matches(signal):
        asked.append(signal.seq)
        return signal.type == "job.completed"

    async with hub.subscribe(matches, subject="job_b") as subscription:
        history.commit("job_a")
        history.commit("job_b", type="job.running")
        await publish(history.commit("job_b", type="job.completed"))
        assert await take_seqs(subscription, 1) == [3]
    assert asked == [2, 3]


async def test_second_reader_of_a_subscription_is_refused(hub):
    async with hub.subscribe(everything) as subscription:
        first = asyncio.create_task(anext(subscription))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one reader"):
            await anext(subscription)
        first.cancel()
        await asyncio.wait([first])


async def test_cancelled_wait_loses_no_signal(hub, publish, history):
    async with hub.subscribe(everything) as subscription:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(subscription), 0.01)
        await publish(history.commit("job_a"))
        assert await take_seqs(subscription, 1) == [1]


async def test_left_subscription_gets_nothing_and_ends(hub, publish, history):
    async with hub.subscribe(everything) as subscription:
        pass
    await publish(history.commit("job_a"))
    assert [item async for item in subscription] == []
    assert hub.stats.delivered == 0
