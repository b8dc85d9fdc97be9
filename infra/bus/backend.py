"""The transport: one Redis stream behind broadcaster's plug-in interface.

A reader that survives every outage and tells it, instead of broadcaster's own, which die silently.
Refuses to be a log: it keeps the newest entries only and may lose them.
"""

import asyncio
from contextlib import suppress
from enum import StrEnum
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event
from redis import asyncio as aioredis
from redis.exceptions import RedisError, ResponseError

from infra.bus.publisher import CHANNEL_FIELD, MESSAGE_FIELD, Publisher
from infra.tasks import Background

log = structlog.get_logger(__name__)

STREAM = "mllm:events"

NOTICES = "mllm:notices"
"""The channel on which a backend speaks of itself; a message is one `Notice`."""

_INBOX_EVENTS = 10_000
_READ_ENTRIES = 500
_BLOCK_S = 2.0
_SOCKET_TIMEOUT_S = 5.0  # above the block; a peer that vanished is noticed after this
_BACKOFF_S = 0.05
_MAX_BACKOFF_S = 0.2  # an attempt costs little, and readers wait for its success
_START = "0-0"


class Notice(StrEnum):
    """What a reader cannot see in the entries themselves."""

    CONNECTED = "connected"  # for the first time: read from here on
    RECONNECTED = "reconnected"  # entries may be missing before this
    LOST = "lost"  # the connection: nothing arrives until the next one
    BEHIND = "behind"  # a full batch: the stream may be trimmed before it is read
    SKIPPED = "skipped"  # an entry that no publisher of ours wrote


class StreamLogBackend(BroadcastBackend):
    """Entries of one stream, from now on, in order.

    `url`: `redis://`, `rediss://` or `unix://`; ValueError if it is neither. The server may be away
    at any time: `connect` does not wait for it, `publish` drops, `next_published` waits. A process
    that only publishes has no reader: the first `subscribe` starts it.
    """

    def __init__(self, url: str, *, max_entries: int = 10_000, stream: str = STREAM) -> None:
        self._stream = stream
        self._redis = aioredis.Redis.from_url(
            url, socket_timeout=_SOCKET_TIMEOUT_S, socket_connect_timeout=1
        )
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(_INBOX_EVENTS)
        self._last_id: str | None = None
        self._reading = False
        self._failing = False
        self._background = Background(max_backoff_s=_MAX_BACKOFF_S)
        self.publisher = Publisher(url, stream=stream, max_entries=max_entries)

    async def connect(self) -> None:
        """Begins to publish; returns at once."""
        self.publisher.start()

    async def disconnect(self) -> None:
        """Sends what is left, for at most a second, and closes both connections."""
        await self._background.stop()
        await self.publisher.stop()
        await self._redis.aclose()

    async def subscribe(self, group: str) -> None:
        """Begins to read every channel of the stream, if it does not yet."""
        if not self._reading:
            self._reading = True
            self._background.start("bus.reader", self._read)

    async def unsubscribe(self, group: str) -> None:
        """Goes on reading: the next subscriber must not lose what comes in between."""

    async def publish(self, channel: str, message: Any) -> None:
        """Queues `message` (str or bytes) and returns at once; never raises for the transport."""
        self.publisher.publish(channel, message)

    async def next_published(self) -> Event:
        """The next entry, or a notice. Safe to cancel."""
        return await self._inbox.get()

    async def _read(self) -> None:
        backoff_s = _BACKOFF_S
        while True:
            try:
                notice = Notice.RECONNECTED if self._last_id else Notice.CONNECTED
                await self._find_position()
                await self._connected(notice)
                backoff_s = _BACKOFF_S
                await self._read_connected()
            except (RedisError, OSError, TimeoutError) as e:
                await self._lost(e)
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)

    async def _connected(self, notice: Notice) -> None:
        self._failing = False
        log.info(f"bus.{notice}", stream=self._stream)
        await self._notify(notice)

    async def _lost(self, error: Exception) -> None:
        if self._failing:
            return  # told once per outage
        self._failing = True
        log.warning("bus.connection_lost", stream=self._stream, error=str(error))
        await self._notify(Notice.LOST)

    async def _read_connected(self) -> None:
        while True:
            found = await self._redis.xread(
                {self._stream: self._last_id or _START},
                count=_READ_ENTRIES,
                block=int(_BLOCK_S * 1000),
            )
            if not found:
                await self._find_position()
                continue
            entries = found[0][1]
            for entry_id, fields in entries:
                self._last_id = entry_id.decode()
                await self._inbox.put(_event(fields))
            if len(entries) == _READ_ENTRIES:
                await self._notify(Notice.BEHIND)

    async def _find_position(self) -> None:
        """The end of the stream at first. Later the start of a stream that is younger than what was
        read: ids are wall-clock times, so after a wipe and a step back of the clock new entries
        would have smaller ids and never be read.
        """
        end = _START
        with suppress(ResponseError):  # no such stream yet
            end = (await self._redis.xinfo_stream(self._stream))["last-generated-id"].decode()
        if self._last_id is None:
            self._last_id = end
        elif _parts(end) < _parts(self._last_id):
            self._last_id = _START

    async def _notify(self, notice: Notice) -> None:
        await self._inbox.put(Event(NOTICES, notice))


def _event(fields: dict[bytes, bytes]) -> Event:
    try:
        return Event(fields[CHANNEL_FIELD].decode(), fields[MESSAGE_FIELD].decode())
    except (KeyError, UnicodeDecodeError):
        return Event(NOTICES, Notice.SKIPPED)


def _parts(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)
