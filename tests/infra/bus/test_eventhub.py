"""The hub over a real stream and a real log: order, exactly once, everyone registered."""

import asyncio

import pytest
from broadcaster import Broadcast

from infra.bus.backend import STREAM, StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.signal import CHANNEL, Signal
from tests.infra.bus.harness import (
    DEADLINE_S,
    NEVER_IDLE_S,
    connected,
    everything,
    publishers,
    publishing,
    running,
    take,
    take_seqs,
    until,
)


@pytest.mark.parametrize("scheme", ["url", "unix_url"])
async def test_committed_change_reaches_a_subscriber_whole(server, history, scheme):
    url = getattr(server, scheme)
    async with (
        running(url, history, idle_s=NEVER_IDLE_S) as hub,
        publishing(url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        [signal] = await take(subscription, 1)
    assert signal == Signal("job.running", "job_a", seq=1, event_id="evt_1")


async def test_three_concurrent_publishers_are_delivered_in_order_and_once(server, history):
    total = 900

    async def publish(backend, count):
        for _ in range(count):
            signal = history.commit("job_a")
            await asyncio.sleep(0)  # lets the others overtake between commit and publish
            await backend.publish(CHANNEL, signal.encode())

    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S, queue_size=1000) as hub,
        publishers(server.url, 3) as backends,
        hub.subscribe(everything) as subscription,
    ):
        await asyncio.gather(*(publish(backend, total // 3) for backend in backends))
        assert await take_seqs(subscription, total) == list(range(1, total + 1))
        await until(lambda: hub.stats.received == total)
        assert hub.stats.delivered == total
        assert hub.stats.gaps == 0


async def test_three_hundred_first_subscribers_at_once_all_receive(server, history):
    """broadcaster registers one of them: it awaits between its check and its entry."""

    async def subscriber(hub):
        async with hub.subscribe(everything, subject="job_a") as subscription:
            return await take_seqs(subscription, 1)

    async with running(server.url, history) as hub, publishing(server.url) as backend:
        readers = [asyncio.create_task(subscriber(hub)) for _ in range(300)]
        await until(lambda: hub.subscriber_count == 300)
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await asyncio.gather(*readers) == [[1]] * 300
        assert hub.subscriber_count == 0


async def test_malformed_entries_are_skipped_and_counted(server, history):
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        server.command("XADD", STREAM, "*", "d", "{}")
        server.command("XADD", STREAM, "*", "c", CHANNEL, "m", "garbage")
        server.command("XADD", STREAM, "*", "c", '"\\xff"', "m", "x")
        await backend.publish(CHANNEL, b'{"type":"x","subject":null,"seq":"1"}')
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        assert hub.stats.skipped == 4


async def test_replay_up_to_the_position_and_live_signals_neither_overlap_nor_miss(server, history):
    total = 200

    async def follow(hub, after):
        """As a client does that comes back with a cursor, which may be ahead of this process."""
        async with hub.subscribe(everything) as subscription:
            rows = await history.after(after, total)
            seen = [row.seq for row in rows if row.seq <= subscription.position]
            while not seen or seen[-1] < total:
                seen += [seq for seq in await take_seqs(subscription, 1) if seq > after]
            return seen

    async with (
        running(server.url, history, queue_size=1000) as hub,
        publishing(server.url) as backend,
    ):
        readers = []
        for count in range(1, total + 1):
            await backend.publish(CHANNEL, history.commit("job_a").encode())
            if count % 20 == 0:
                readers.append(asyncio.create_task(follow(hub, count // 2)))
            await asyncio.sleep(0)
        seen = await asyncio.wait_for(asyncio.gather(*readers), DEADLINE_S)
    assert seen == [list(range(count // 2 + 1, total + 1)) for count in range(20, total + 1, 20)]


async def test_stop_ends_every_subscription(server, history):
    async def read_all(hub):
        async with hub.subscribe(everything) as subscription:
            return [item async for item in subscription]

    async with running(server.url, history) as hub:
        readers = [asyncio.create_task(read_all(hub)) for _ in range(3)]
        await until(lambda: hub.subscriber_count == 3)
    assert await asyncio.wait_for(asyncio.gather(*readers), 5) == [[], [], []]
    assert await read_all(hub) == []
    assert not hub.connected


async def test_broadcast_stays_the_place_to_plug_in_and_to_publish(server, history):
    broadcast = Broadcast(backend=StreamLogBackend(server.url))
    async with EventHub(broadcast, history, idle_s=NEVER_IDLE_S) as hub:
        await connected(hub)
        async with hub.subscribe(everything) as subscription:
            await broadcast.publish(CHANNEL, history.commit("job_a").encode())
            assert await take_seqs(subscription, 1) == [1]


async def test_broadcast_alone_works_over_the_backend(server):
    async with Broadcast(backend=StreamLogBackend(server.url)) as broadcast:
        async with broadcast.subscribe("news") as subscriber:
            await until(lambda: b"blocked_clients:1\r\n" in server.command("INFO", "clients"))
            await broadcast.publish("other", "no")
            await broadcast.publish("news", "yes")
            event = await asyncio.wait_for(subscriber.get(), DEADLINE_S)
        assert (event.channel, event.message) == ("news", "yes")


async def test_any_backend_of_broadcaster_can_carry_the_signals(history):
    broadcast = Broadcast("memory://")
    async with (
        EventHub(broadcast, history, idle_s=NEVER_IDLE_S) as hub,
        hub.subscribe(everything) as subscription,
    ):
        await broadcast.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        await connected(hub)


async def test_matcher_that_raises_ends_its_own_subscription_only(server, history):
    asked = []

    def matches(signal):
        asked.append(signal.seq)
        return signal.missing

    async with (
        running(server.url, history) as hub,
        publishing(server.url) as backend,
        hub.subscribe(matches) as broken,
        hub.subscribe(everything) as subscription,
    ):
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [2]
        with pytest.raises(AttributeError, match="missing"):
            await take(broken, 1)
    assert asked == [1]


async def test_hub_that_is_not_started_refuses_subscribers(history):
    hub = EventHub(Broadcast("memory://"), history)
    with pytest.raises(RuntimeError, match="not started"):
        async with hub.subscribe(everything):
            pass
