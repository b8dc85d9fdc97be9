"""Publishing is pipelined, bounded, and never the problem of the request that does it."""

import time

import pytest
from redis import asyncio as aioredis

from infra.bus.backend import STREAM, StreamLogBackend
from infra.bus.publisher import CHANNEL_FIELD, MESSAGE_FIELD
from tests.infra.bus.harness import publishing, until


async def entries(url):
    async with aioredis.Redis.from_url(url) as redis:
        return [fields for _, fields in await redis.xrange(STREAM)]


async def test_messages_left_at_the_end_are_sent_in_order(server):
    async with publishing(server.url) as backend:
        for number in range(1200):
            await backend.publish("events", f"{number}")
    assert backend.publisher.sent == 1200
    assert await entries(server.url) == [
        {CHANNEL_FIELD: b"events", MESSAGE_FIELD: f"{number}".encode()} for number in range(1200)
    ]


async def test_stream_keeps_about_its_number_of_entries(server):
    async with publishing(server.url, max_entries=1000) as backend:
        for number in range(5000):
            await backend.publish("events", f"{number}")
    kept = await entries(server.url)
    assert 1000 <= len(kept) <= 1100  # whole nodes of 100 entries are trimmed
    assert kept[-1][MESSAGE_FIELD] == b"4999"


async def test_publishing_without_a_server_returns_at_once_and_is_counted(tmp_path):
    async with publishing(f"unix://{tmp_path}/nobody.sock") as backend:
        began = time.monotonic()
        for number in range(10_600):
            await backend.publish("events", f"{number}")
        assert time.monotonic() - began < 1
        assert backend.publisher.dropped == 600
    assert backend.publisher.dropped == 10_600
    assert backend.publisher.sent == 0


async def test_publishing_works_again_after_an_outage(server):
    async with publishing(server.url) as backend:
        server.kill()
        await backend.publish("events", "lost")
        await until(lambda: backend.publisher.dropped == 1)
        server.start()
        await backend.publish("events", "kept")
        await until(lambda: backend.publisher.sent == 1)
    assert [fields[MESSAGE_FIELD] for fields in await entries(server.url)] == [b"kept"]


async def test_process_that_only_publishes_reads_nothing(server):
    async with publishing(server.url) as backend:
        await backend.publish("events", "x")
        await until(lambda: backend.publisher.sent == 1)
        assert b"connected_clients:2\r\n" in server.command("INFO", "clients")


def test_url_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="redis://, rediss://, unix://"):
        StreamLogBackend("amqp://127.0.0.1")
