"""What the transport or the log loses is filled or told: outages, wipes, trims, lost publishes."""

import asyncio
import time

import pytest
from redis import asyncio as aioredis

from infra.bus.backend import STREAM, StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.publisher import CHANNEL_FIELD, MESSAGE_FIELD
from infra.bus.signal import CHANNEL, Gap, Signal
from tests.infra.bus.harness import (
    NEVER_IDLE_S,
    connected,
    everything,
    publishing,
    running,
    take,
    take_seqs,
    until,
)


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


async def test_row_committed_in_an_outage_arrives_at_the_reconnect(server, history):
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        hub.subscribe(everything) as subscription,
    ):
        server.kill()
        await until(lambda: not hub.connected)
        history.commit("job_a")
        server.start()
        assert await take_seqs(subscription, 1) == [1]


async def test_row_committed_before_the_first_connection_arrives_with_it(server, history):
    server.kill()
    async with (
        EventHub(StreamLogBackend(server.url), history, idle_s=NEVER_IDLE_S) as hub,
        hub.subscribe(everything) as subscription,
    ):
        await until(lambda: history.reads == 2)  # for the position, and for what came before it
        history.commit("job_a")
        server.start()
        assert await take_seqs(subscription, 1) == [1]
        assert hub.stats.reconnects == 0


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


async def test_stream_that_was_trimmed_before_it_was_read_is_filled_from_the_log(server, history):
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        hub.subscribe(everything) as subscription,
        aioredis.Redis.from_url(server.url) as redis,
    ):
        # One transaction: the reader is woken after it and finds the last entry only.
        async with redis.pipeline(transaction=True) as pipeline:
            for _ in range(10):
                message = history.commit("job_a").encode()
                pipeline.xadd(STREAM, {CHANNEL_FIELD: CHANNEL, MESSAGE_FIELD: message})
            pipeline.xtrim(STREAM, maxlen=1, approximate=False)
            await pipeline.execute()
        assert await take_seqs(subscription, 10) == list(range(1, 11))
        assert hub.stats.received == 1
        assert hub.stats.gaps == 0


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


async def test_holes_that_nobody_misses_are_not_told(server, history):
    """As samples leave when the log is kept short; also where they were the newest rows."""
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        for _ in range(6):
            history.commit("job_a")
        history.forget(1, 3, 4)
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 4) == [2, 5, 6, 7]
        history.commit("job_a")
        history.forget(8)
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [9]
        assert hub.stats.gaps == 0


async def test_only_the_trimmed_part_of_a_hole_is_told(server, history):
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        for _ in range(5):
            history.commit("job_a")
        history.trim(to_seq=2)
        history.forget(3)
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take(subscription, 1) == [Gap("trimmed", from_seq=1, to_seq=2)]
        assert await take_seqs(subscription, 3) == [4, 5, 6]


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


async def test_full_batch_is_a_reason_to_look_into_the_log(server, history):
    """The tail may be trimmed before it is read: here it was not even published."""
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S, queue_size=2000) as hub,
        hub.subscribe(everything) as subscription,
        aioredis.Redis.from_url(server.url) as redis,
    ):
        async with redis.pipeline(transaction=True) as pipeline:
            for _ in range(500):
                message = history.commit("job_a").encode()
                pipeline.xadd(STREAM, {CHANNEL_FIELD: CHANNEL, MESSAGE_FIELD: message})
            history.commit("job_b")
            await pipeline.execute()
        assert await take_seqs(subscription, 501) == list(range(1, 502))


async def test_signal_from_beyond_the_log_is_not_delivered_nor_looked_for_again(server, history):
    """As another installation on the same server would send it."""
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        await until(lambda: history.reads == 3)  # position, start, connection
        await backend.publish(CHANNEL, Signal("job.running", "job_x", seq=1000).encode())
        await until(lambda: history.reads >= 4)
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
        looked = history.reads
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(subscription), 0.3)
        assert history.reads == looked
        assert looked <= 5  # on a busy machine the comparison of the connection may come late


async def test_full_batches_are_delivered_whole(server, history):
    """More entries than one read takes, waiting when the reader comes back."""
    async with (
        running(server.url, history, idle_s=NEVER_IDLE_S, queue_size=2000) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        for _ in range(1200):
            await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1200) == list(range(1, 1201))
        assert hub.stats.gaps == 0


async def test_stop_does_not_wait_for_a_server_that_accepts_and_is_silent(history):
    async def be_silent(reader, writer):
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(be_silent, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    backend = StreamLogBackend(f"redis://127.0.0.1:{port}")
    async with silent:
        async with EventHub(backend, history, idle_s=0.05) as hub:
            async with hub.subscribe(everything) as subscription:
                await backend.publish(CHANNEL, history.commit("job_a").encode())
                assert await take_seqs(subscription, 1) == [1]
            began = time.monotonic()
        assert time.monotonic() - began < 3
    await silent.wait_closed()
    assert (backend.publisher.sent, backend.publisher.dropped) == (0, 1)


async def test_stopped_hub_leaves_no_connection(server, history):
    async with (
        running(server.url, history) as hub,
        publishing(server.url) as backend,
        hub.subscribe(everything) as subscription,
    ):
        await backend.publish(CHANNEL, history.commit("job_a").encode())
        assert await take_seqs(subscription, 1) == [1]
    await until(lambda: b"connected_clients:1\r\n" in server.command("INFO", "clients"))
