"""Sends messages to the stream in pipelines, beside the requests that cause them.

Refuses to raise, wait or grow: what cannot be sent is dropped and counted, for the readers fill
holes from the database.
"""

import asyncio
from collections import deque
from contextlib import suppress

import structlog
from redis import asyncio as aioredis
from redis.exceptions import RedisError

from infra.tasks import Background

log = structlog.get_logger(__name__)

CHANNEL_FIELD = b"c"
MESSAGE_FIELD = b"m"

_BUFFER_ENTRIES = 10_000
_PIPELINE_ENTRIES = 500
_BACKOFF_S = 0.05
_MAX_BACKOFF_S = 0.2
_DRAIN_TIMEOUT_S = 1.0


class Publisher:
    """Writes to one stream, `XADD MAXLEN ~ max_entries`.

    Messages that arrive while a pipeline is under way leave together in the next one: a lone
    message waits for nobody, a burst costs one round trip per 500. Of more than 10,000 unsent
    messages the oldest are dropped; so is a pipeline that fails, for it may have arrived in part.
    """

    def __init__(self, url: str, *, stream: str, max_entries: int) -> None:
        self._redis = aioredis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=1)
        self._stream = stream
        self._max_entries = max_entries
        self._buffer: deque[tuple[str, str | bytes]] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._background = Background(max_backoff_s=_MAX_BACKOFF_S)
        self._failing = False
        self.sent = 0
        self.dropped = 0

    def start(self) -> None:
        """Begins to send, also what was published before."""
        self._background.start("bus.publisher", self._run)

    async def stop(self) -> None:
        """Sends what is left, for at most a second, and closes the connection."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                await self._drained.wait()
        await self._background.stop()
        self.dropped += len(self._buffer)
        self._buffer.clear()
        await self._redis.aclose()

    def publish(self, channel: str, message: str | bytes) -> None:
        """Queues a message and returns at once. For the thread of the event loop only."""
        if len(self._buffer) >= _BUFFER_ENTRIES:
            self._buffer.popleft()
            self.dropped += 1
        self._buffer.append((channel, message))
        self._drained.clear()
        self._filled.set()

    async def _run(self) -> None:
        backoff_s = _BACKOFF_S
        while True:
            await self._filled.wait()
            if await self._send_some():
                backoff_s = _BACKOFF_S
            else:
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)
            if not self._buffer:
                self._filled.clear()
                self._drained.set()

    async def _send_some(self) -> bool:
        count = min(len(self._buffer), _PIPELINE_ENTRIES)
        batch = [self._buffer.popleft() for _ in range(count)]
        self.dropped += count  # until it is known better, also if this is cancelled
        try:
            await self._send(batch)
        except (RedisError, OSError, TimeoutError) as e:
            if not self._failing:  # once per outage: it is retried up to 20 times a second
                log.warning("bus.publish_failed", dropped_count=count, error=str(e))
            self._failing = True
            return False
        self.dropped -= count
        self.sent += count
        if self._failing:
            log.info("bus.publish_recovered", dropped_count=self.dropped)
        self._failing = False
        return True

    async def _send(self, batch: list[tuple[str, str | bytes]]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for channel, message in batch:
                pipeline.xadd(
                    self._stream,
                    {CHANNEL_FIELD: channel, MESSAGE_FIELD: message},
                    maxlen=self._max_entries,
                    approximate=True,
                )
            await pipeline.execute()
