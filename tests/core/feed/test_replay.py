"""Following the log over a real transport: in order, each event once, and every hole is said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from core import ids
from core.errors import BadId
from core.feed.entity import Event
from core.feed.kinds import EventType
from core.feed.replay import EventGap, follow
from core.feed.service import Feed
from infra.bus.backend import StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.signal import CHANNEL, Signal
from infra.db.store import Outbox, Store
from tests.core.feed.writing import LOG, PENDING, rows, say, trim

DEADLINE_S = 20


@pytest.fixture
def feed(store: Store) -> Feed:
    return Feed(store)


@pytest.fixture
async def bus(store: Store, redis_url: str) -> AsyncIterator[StreamLogBackend]:
    """What another process publishes through: signals of committed events."""
    backend = StreamLogBackend(redis_url)
    await backend.connect()

    def publish(outbox: Outbox) -> None:
        for signal in outbox.signals:
            backend.publisher.publish(CHANNEL, signal.encode())

    store.on_commit = publish
    yield backend
    await backend.disconnect()


@pytest.fixture
async def hub(store: Store, feed: Feed, bus: StreamLogBackend, redis_url: str):
    await store.write(say, "first")  # the log has a past
    async with EventHub(StreamLogBackend(redis_url), feed) as hub:
        yield hub


class Reader:
    """One follower, read with a deadline."""

    def __init__(self, feed: Feed, hub: EventHub, **asked) -> None:
        self._items = follow(feed, hub, **{"globs": None, "after": None, **asked})

    async def take(self, count: int) -> list[Event | EventGap | Signal]:
        async with asyncio.timeout(DEADLINE_S):
            return [await anext(self._items) for _ in range(count)]

    async def subjects(self, count: int) -> list[str | None]:
        items = await self.take(count)
        assert all(isinstance(item, Event) for item in items), items
        return [item.subject_id for item in items if isinstance(item, Event)]

    async def aclose(self) -> None:
        await self._items.aclose()


async def id_at(store: Store, seq: int) -> str:
    return next(row.id for row in await store.read(rows) if row.seq == seq)


async def test_resumes_exactly_once_in_order_while_events_are_written(
    store: Store, feed: Feed, hub: EventHub
):
    """Readers come one after another, each where the one before it left off."""
    total, seen = 300, []

    async def write() -> None:
        for n in range(0, total, 4):
            await asyncio.gather(*(store.write(say, f"e{n + i}") for i in range(4)))

    writer = asyncio.create_task(write())
    after: str = await id_at(store, 1)
    while len(seen) < total:
        async with aclosing(Reader(feed, hub, after=after)) as reader:
            for item in await reader.take(min(25, total - len(seen))):
                assert isinstance(item, Event)
                seen.append(item)
                after = item.id
    await writer
    assert [event.seq for event in seen] == list(range(2, total + 2))
    assert sorted(e.subject_id or "" for e in seen) == sorted(f"e{n}" for n in range(total))


async def test_reader_without_a_point_hears_only_what_comes(
    store: Store, feed: Feed, hub: EventHub
):
    async with aclosing(Reader(feed, hub)) as reader:
        next_one = asyncio.create_task(reader.subjects(1))
        async with asyncio.timeout(DEADLINE_S):
            while hub.subscriber_count == 0:  # noqa: ASYNC110 — the hub has no event for it
                await asyncio.sleep(0.005)
        await store.write(say, "second")
        assert await next_one == ["second"]


async def test_reader_without_a_point_does_not_hear_what_the_transport_still_owes(
    store: Store, feed: Feed, hub: EventHub
):
    """The hub of this process may not have seen what is committed already."""
    store.on_commit = lambda _outbox: None  # the process that wrote it died before it published
    await store.write(say, "committed")
    position = hub.position
    async with aclosing(Reader(feed, hub)) as reader:
        heard = asyncio.create_task(reader.subjects(1))
        async with asyncio.timeout(DEADLINE_S):
            while hub.subscriber_count == 0:  # noqa: ASYNC110 — the hub has no event for it
                await asyncio.sleep(0.005)
        await store.write(say, "later")
        assert (position, await heard) == (1, ["later"])


async def test_number_is_a_point_too(store: Store, feed: Feed, hub: EventHub):
    await store.write(say, "second", "third")
    async with aclosing(Reader(feed, hub, after=0)) as reader:
        assert await reader.subjects(3) == ["first", "second", "third"]
        await store.write(say, "fourth")
        assert await reader.subjects(1) == ["fourth"]


async def test_more_than_a_batch_is_read_before_going_live(store: Store, feed: Feed, hub: EventHub):
    await store.write(say, *(f"e{n}" for n in range(450)))
    async with aclosing(Reader(feed, hub, after=1)) as reader:
        assert await reader.subjects(450) == [f"e{n}" for n in range(450)]
        await store.write(say, "live")
        assert await reader.subjects(1) == ["live"]


async def test_unknown_event_is_a_gap_and_then_it_goes_on(store: Store, feed: Feed, hub: EventHub):
    unknown = ids.new(ids.Prefix.EVENT)
    async with aclosing(Reader(feed, hub, after=unknown)) as reader:
        assert await reader.take(1) == [EventGap(unknown, await id_at(store, 1), "not-held")]
        await store.write(say, "second")
        assert await reader.subjects(1) == ["second"]


async def test_trimmed_event_is_a_gap(store: Store, feed: Feed, hub: EventHub):
    await store.write(say, "second", "third")
    trimmed = await id_at(store, 1)
    await store.write(trim, to_seq=2)
    async with aclosing(Reader(feed, hub, after=trimmed)) as reader:
        assert await reader.take(1) == [EventGap(trimmed, await id_at(store, 3), "not-held")]
        await store.write(say, "fourth")
        assert await reader.subjects(1) == ["fourth"]


async def test_events_trimmed_between_two_reads_are_a_gap(store: Store, feed: Feed, hub: EventHub):
    """The point itself is held or was only a number; what follows it is not."""
    await store.write(say, "second", "third", "fourth")
    await store.write(trim, to_seq=3)
    async with aclosing(Reader(feed, hub, after=1)) as reader:
        assert await reader.take(1) == [EventGap(None, await id_at(store, 4), "trimmed")]
        assert await reader.subjects(1) == ["fourth"]


async def test_reader_that_was_overtaken_by_the_trimming_is_told(
    store: Store, feed: Feed, hub: EventHub
):
    first = await id_at(store, 1)
    async with aclosing(Reader(feed, hub, after=0)) as reader:
        assert await reader.subjects(1) == ["first"]
        await store.write(say, "second", "third")
        await store.write(trim, to_seq=2)
        assert await reader.take(1) == [EventGap(first, await id_at(store, 3), "trimmed")]
        assert await reader.subjects(1) == ["third"]


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["job.log"], ["b", "d"]),
        (["job.*"], ["a", "b", "c", "d"]),
        (["*.pend*", "nonsense"], ["a", "c"]),
        (None, ["a", "b", "c", "d"]),
    ],
)
async def test_only_the_wanted_types(
    store: Store, feed: Feed, hub: EventHub, globs: list[str] | None, expected: list[str]
):
    for subject in "abcd":
        await store.write(say, subject, type=PENDING if subject in "ac" else LOG)
    async with aclosing(Reader(feed, hub, globs=globs, after=1)) as reader:
        assert await reader.subjects(len(expected)) == expected
        await store.write(say, "x", type=EventType.JOB_COMPLETED)
        await store.write(say, "y", type=LOG)
        await store.write(say, "z", type=PENDING)
        last = {None: "x", "job.log": "y", "job.*": "x", "*.pend*": "z"}
        assert await reader.subjects(1) == [last[globs[0] if globs else None]]


async def test_ticks_pass_without_rows_and_only_where_wanted(
    store: Store, feed: Feed, hub: EventHub, bus: StreamLogBackend
):
    tick = Signal("job.progress", "job_x", detail={"bytesDone": "1"})
    async with (
        aclosing(Reader(feed, hub, after=1, ticks=True, globs=["job.*"])) as ticked,
        aclosing(Reader(feed, hub, after=1, globs=["job.*"])) as plain,
    ):
        await store.write(say, "second")
        assert await ticked.subjects(1) == await plain.subjects(1) == ["second"]
        waiting = asyncio.create_task(ticked.take(1))
        await asyncio.sleep(0)
        bus.publisher.publish(CHANNEL, tick.encode())
        (heard,) = await waiting
        assert isinstance(heard, Signal)
        assert (heard.type, heard.subject, heard.detail) == ("job.progress", "job_x", tick.detail)
        await store.write(say, "third")
        assert await ticked.subjects(1) == await plain.subjects(1) == ["third"]


async def test_point_that_is_no_event_is_refused(feed: Feed, hub: EventHub):
    async with aclosing(Reader(feed, hub, after="nonsense")) as reader:
        with pytest.raises(BadId):
            await reader.take(1)


async def test_end_of_the_hub_ends_the_reader(store: Store, feed: Feed, hub: EventHub):
    async with (
        aclosing(follow(feed, hub, globs=None, after=0)) as items,
        asyncio.timeout(DEADLINE_S),
    ):
        heard = []
        async for item in items:
            heard.append(item)
            await hub.stop()
    assert [item.subject_id for item in heard] == ["first"]
