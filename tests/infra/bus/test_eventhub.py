"""The hub over a real stream and a real log: order, exactly once, and no silent loss."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from broadcaster import Broadcast

from infra.bus.backend import STREAM, StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.signal import CHANNEL, Gap, Signal
from tests.infra.bus.reading import DEADLINE_S, connected, everything, take, take_seqs, until

# Long enough to prove that the transport delivered it and not the comparison.
NEVER_IDLE_S = 60.0


@asynccontextmanager
async def running(server_url, history, **options):
    async with EventHub(StreamLogBackend(server_url), history, **options) as hub:
        await connected(hub)
        yield hub


@asynccontextmanager
async def publishing(url, count=1, **options):
    backends = [StreamLogBackend(url, **options) for _ in range(count)]
    for backend in backends:
        await backend.connect()
    try:
        yield backends if count > 1 else backends[0]
    finally:
        for backend in backends:
            await backend.disconnect()


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
        publishing(server.url, 3) as backends,
        hub.subscribe(everything) as subscription,
    ):
        await asyncio.gather(*(publish(backend, total // 3) for backend in backends))
        assert await take_seqs(subscription, total) == list(range(1, total + 1))
        await until(lambda: hub.stats.received == total)
        assert hub.stats.delivered == total
        assert hub.stats.gaps == 0


async def test_kill_and_restart_of_the_server_lose_and_repeat_nothing(server, history):
    async with (
        running(server.url, history, idle_s=0.2, queue_size=1000) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        for _ in range(3):
            for _ in range(20):
                await backend.publish(CHANNEL, history.commit("job_a").encode())
            server.kill()
            for _ in range(20):
                await backend.publish(CHANNEL, history.commit("job_a").encode())
            reconnects = hub.stats.reconnects
            server.start()
            await until(lambda before=reconnects: hub.stats.reconnects > before)
        assert await take_seqs(subscription, 120) == list(range(1, 121))
        assert hub.connected
        assert hub.stats.gaps == 0


async def test_transport_carries_signals_again_after_a_restart(server, history):
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        server.kill()
        await until(lambda: not hub.connected)
        server.start()
        await connected(hub)
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        assert (hub.stats.received, hub.stats.filled) == (1, 0)


async def test_wipe_of_the_server_loses_nothing(server, history):
    async with (
        running(server.url, history, idle_s=0.2) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        history.commit("job_b")
        assert server.command("FLUSHALL") == b"+OK\r\n"
        await backend.publish(CHANNEL, history.commit("job_c").encode())
        assert await take_seqs(subscription, 2) == [2, 3]
        await backend.publish(CHANNEL, history.commit("job_d").encode())
        assert await take_seqs(subscription, 1) == [4]


async def test_stream_that_starts_anew_with_smaller_ids_is_read(server, history):
    """As after a failover to a host whose clock is behind."""
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        hub.subscribe(everything) as subscription,
    ):
        async with publishing(server.url) as backend:
            await backend.publish(CHANNEL, history.commit("job_a").encode())
            assert await take_seqs(subscription, 1) == [1]
        server.command("DEL", STREAM)
        message = history.commit("job_b").encode().decode().replace('"', '\\"')
        server.command("XADD", STREAM, "5-1", "c", CHANNEL, "m", f'"{message}"')
        assert await take_seqs(subscription, 1) == [2]
        assert hub.stats.received == 2


async def test_trimmed_stream_is_filled_from_the_log(server, history):
    backend = StreamLogBackend(server.url)
    async with EventHub(backend, history, idle_s=NEVER_IDLE_S, queue_size=2000) as hub:
        await connected(hub)
        async with hub.subscribe(everything) as subscription, publishing(server.url) as other:
            for _ in range(10):
                history.commit("job_a")
            await other.publish(CHANNEL, history.commit("job_a").encode())
            assert await take_seqs(subscription, 11) == list(range(1, 12))
        assert hub.stats.filled >= 10


async def test_row_that_was_never_published_arrives_within_the_idle_time(server, history):
    async with (
        running(server.url, history, idle_s=0.3) as hub,
        publishing(server.url) as backend,
        hub.subscribe(lambda signal: signal.seq is not None) as subscription,
    ):
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        history.commit("job_b")
        began = time.monotonic()
        ticking = asyncio.create_task(tick_for_ever(backend))
        assert await take_seqs(subscription, 1) == [2]
        ticking.cancel()
        await asyncio.wait([ticking])
    assert time.monotonic() - began < 3


async def tick_for_ever(backend):
    """Ticks are no sign that nothing durable was lost."""
    while True:
        await backend.publish(CHANNEL, Signal("job.progress", "job_a").encode())
        await asyncio.sleep(0.02)


async def test_rows_that_the_log_no_longer_holds_are_told_to_everyone(server, history):
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as one,
        hub.subscribe(lambda signal: False, subject="job_z") as other,
    ):
        for _ in range(5):
            history.commit("job_a")
        history.trim(to_seq=3)
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        gap = Gap("trimmed", from_seq=1, to_seq=3)
        assert await take(one, 1) == [gap]
        assert await take_seqs(one, 3) == [4, 5, 6]
        assert await take(other, 1) == [gap]


async def test_log_that_was_trimmed_to_its_head_is_a_gap_to_the_head(server, history):
    async with (
        running(server.url, history, idle_s=0.1) as hub,
        hub.subscribe(everything) as subscription,
    ):
        for _ in range(4):
            history.commit("job_a")
        history.trim(to_seq=4)
        assert await take(subscription, 1) == [Gap("trimmed", from_seq=1, to_seq=4)]
        history.commit("job_b")
        assert await take_seqs(subscription, 1) == [5]


async def test_log_that_went_back_is_told_and_followed(server, history):
    for _ in range(5):
        history.commit("job_a")
    async with (
        running(server.url, history, idle_s=0.1) as hub,
        hub.subscribe(everything) as subscription,
    ):
        assert subscription.position == 5
        history.restore_backup(head=2)
        assert await take(subscription, 1) == [Gap("log-reset", from_seq=None, to_seq=None)]
        history.commit("job_b")
        assert await take_seqs(subscription, 1) == [3]


async def test_database_that_is_away_delays_but_loses_nothing_and_ticks_pass(server, history):
    async with (
        running(server.url, history, idle_s=0.05) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        history.available = False
        await until(lambda: hub.stats.failures > 0)
        history.commit("job_a")
        await backend.publish(CHANNEL, history.commit("job_b").encode())
        tick = Signal("job.progress", "job_c", detail={"bytes": 7})
        await backend.publish(CHANNEL, tick.encode())
        assert await take(subscription, 1) == [tick]
        history.available = True
        assert await take_seqs(subscription, 2) == [1, 2]


async def test_server_that_never_answers_leaves_the_log(history, tmp_path):
    backend = StreamLogBackend(f"unix://{tmp_path}/nobody.sock")
    async with EventHub(backend, history, idle_s=0.1) as hub:
        async with hub.subscribe(everything) as subscription:
            for _ in range(3):
                await backend.publish(CHANNEL, history.commit("job_a").encode())
            assert await take_seqs(subscription, 3) == [1, 2, 3]
            assert not hub.connected
            await until(lambda: backend.publisher.dropped == 3)
        assert hub.stats.received == 0


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
            async for signal in subscription:
                if signal.seq > after:
                    seen.append(signal.seq)
                if signal.seq == total:
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


async def test_any_backend_of_broadcaster_can_carry_the_signals(history):
    broadcast = Broadcast("memory://")
    async with EventHub(broadcast, history, idle_s=NEVER_IDLE_S) as hub:
        async with hub.subscribe(everything) as subscription:
            await broadcast.publish(CHANNEL, history.commit("job_a").encode())
            assert await take_seqs(subscription, 1) == [1]
            await connected(hub)


async def test_matcher_that_raises_ends_its_own_subscription_only(server, history):
    async with (
        running(server.url, history) as hub,
        publishing(server.url) as backend,
        hub.subscribe(lambda signal: signal.missing) as broken,
        hub.subscribe(everything) as subscription,
    ):
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        with pytest.raises(AttributeError, match="missing"):
            await take(broken, 1)


async def test_hub_that_is_not_started_refuses_subscribers(history):
    hub = EventHub(Broadcast("memory://"), history)
    with pytest.raises(RuntimeError, match="not started"):
        async with hub.subscribe(everything):
            pass
