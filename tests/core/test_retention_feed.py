"""What the log keeps, and what readers are told of the rest."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import select, update

from core.errors import NotFound
from core.feed.entity import Event, FeedHead
from core.feed.kinds import EventType
from core.feed.replay import EventGap, follow
from core.feed.retention import BATCH, FeedRetention, Trimmed
from core.feed.service import Feed
from infra.bus.backend import StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.signal import CHANNEL, Signal
from infra.db.store import Outbox, Store, Tx
from infra.db.types import db_now
from infra.settings import Feed as FeedSettings
from tests.core.feed.writing import PENDING, say, subjects

SAMPLE = EventType.JOB_PROGRESS
DEADLINE_S = 30
DAY_S = 86_400


class Fence:
    """Counts transactions, and may end one."""

    def __init__(self) -> None:
        self.calls = 0
        self.lost = False

    def __call__(self, _tx: Tx) -> None:
        self.calls += 1
        if self.lost:
            raise LookupError("not yours")


def _age(tx: Tx, seqs: Sequence[int], age_s: float) -> None:
    tx.session.execute(update(Event).where(Event.seq.in_(seqs)).values(at=db_now(-age_s)))


async def age(store: Store, *seqs: int, age_s: float = 8 * DAY_S) -> None:
    """As they are after that time."""
    await store.write(_age, seqs, age_s)


async def trim(store: Store, fence: Fence | None = None, **settings: Any) -> Trimmed:
    return await FeedRetention(store, FeedSettings(**settings)).trim(fence or Fence())


async def held(store: Store) -> list[int]:
    return [seq for seq, _subject in await subjects(store)]


async def head(store: Store) -> tuple[int, int]:
    query = select(FeedHead.seq, FeedHead.trimmed_seq)
    seq, trimmed_seq = await store.read(lambda tx: tx.session.execute(query).one())
    return seq, trimmed_seq


async def written(store: Store, pattern: str) -> None:
    """An event for each letter: `s` a sample, any other none."""
    for n, letter in enumerate(pattern):
        await store.write(say, f"{letter}{n + 1}", type=SAMPLE if letter == "s" else PENDING)


async def test_beginning_that_is_too_old_goes_in_batches_and_nothing_younger(store: Store):
    await store.write(say, *(f"e{n}" for n in range(BATCH + 30)))
    await age(store, *range(1, BATCH + 21))
    await age(store, *range(BATCH + 21, BATCH + 31), age_s=7 * DAY_S - 60)
    fence = Fence()
    assert await trim(store, fence) == Trimmed(events=BATCH + 20, samples=0)
    assert await held(store) == list(range(BATCH + 21, BATCH + 31))
    assert await head(store) == (BATCH + 30, BATCH + 20)
    assert fence.calls == 2


async def test_nothing_to_remove_writes_nothing(store: Store):
    await written(store, "eses")
    fence = Fence()
    assert await trim(store, fence) == Trimmed(events=0, samples=0)
    assert (fence.calls, await held(store), await head(store)) == (0, [1, 2, 3, 4], (4, 0))


async def test_younger_event_keeps_all_that_follow_it(store: Store):
    """Its process had another clock; the log has no hole but among the samples."""
    await written(store, "eeeee")
    await age(store, 1, 2, 4, 5)
    assert await trim(store) == Trimmed(events=2, samples=0)
    assert await held(store) == [3, 4, 5]


async def test_number_of_events_is_bounded_whatever_their_age(store: Store):
    await written(store, "eseseseses")
    assert await trim(store, keep_rows=4) == Trimmed(events=6, samples=0)
    assert (await held(store), await head(store)) == ([7, 8, 9, 10], (10, 6))
    assert await trim(store, keep_rows=4) == Trimmed(events=0, samples=0)


async def test_removed_samples_do_not_count_as_events(store: Store):
    await written(store, "esssssee")
    await age(store, *range(1, 9), age_s=2 * 3600)
    assert await trim(store, keep_rows=3) == Trimmed(events=0, samples=5)
    assert (await held(store), await head(store)) == ([1, 7, 8], (8, 0))


async def test_samples_go_sooner_wherever_they_are(store: Store):
    await written(store, "eseses")
    await age(store, 1, 2, 3, 4, age_s=3600 + 60)
    await age(store, 5, 6, age_s=3600 - 60)
    assert await trim(store) == Trimmed(events=0, samples=2)
    assert (await held(store), await head(store)) == ([1, 3, 5, 6], (6, 0))


async def test_zero_keeps_for_ever(store: Store):
    await written(store, "esesss")
    await age(store, *range(1, 7), age_s=4000 * DAY_S)
    keep = {"keep_days": 0, "keep_rows": 0, "keep_samples_s": 0}
    assert await trim(store, **keep) == Trimmed(events=0, samples=0)
    assert await trim(store, **{**keep, "keep_samples_s": 1}) == Trimmed(events=0, samples=4)
    assert await trim(store, **{**keep, "keep_rows": 1}) == Trimmed(events=1, samples=0)
    assert await trim(store, **{**keep, "keep_days": 1}) == Trimmed(events=1, samples=0)
    assert (await held(store), await head(store)) == ([], (6, 3))


@pytest.mark.parametrize("pattern", ["ee", "ss"])
async def test_owner_that_lost_the_lease_removes_nothing(store: Store, pattern: str):
    await written(store, pattern)
    await age(store, 1, 2)
    fence = Fence()
    fence.lost = True
    with pytest.raises(LookupError, match="not yours"):
        await trim(store, fence)
    assert (await held(store), await head(store)) == ([1, 2], (2, 0))


async def test_emptied_log_goes_on_counting(store: Store):
    await written(store, "eee")
    await age(store, 1, 2, 3)
    await trim(store)
    await store.write(say, "next")
    assert await subjects(store) == [(4, "next")]


# What readers are told


@pytest.fixture
def feed(store: Store) -> Feed:
    return Feed(store)


@pytest.fixture
async def hub(store: Store, feed: Feed, redis_url: str) -> AsyncIterator[EventHub]:
    """What is committed is published, as every process does."""
    backend = StreamLogBackend(redis_url)
    await backend.connect()

    def publish(outbox: Outbox) -> None:
        for signal in outbox.signals:
            backend.publisher.publish(CHANNEL, signal.encode())

    store.on_commit = publish
    async with EventHub(StreamLogBackend(redis_url), feed) as hub:
        yield hub
    await backend.disconnect()


async def read(
    feed: Feed, hub: EventHub, after: str | int, count: int
) -> list[Event | EventGap | Signal]:
    async with (
        asyncio.timeout(DEADLINE_S),
        aclosing(follow(feed, hub, globs=None, after=after)) as items,
    ):
        return [await anext(items) for _ in range(count)]


async def event_id(feed: Feed, seq: int) -> str:
    (row,) = await feed.rows_after(seq - 1, 1)
    assert row.seq == seq
    return row.id


async def test_reader_resumes_over_removed_samples_without_a_gap(
    store: Store, feed: Feed, hub: EventHub
):
    await written(store, "essesses")
    await age(store, 2, 3, 5, 6, age_s=7200)
    after = await event_id(feed, 1)
    assert await trim(store) == Trimmed(events=0, samples=4)
    items = await read(feed, hub, after, 3)
    assert [item.seq for item in items if isinstance(item, Event)] == [4, 7, 8]


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [(3, ["trimmed", 5, 6]), (4, [5, 6, 9]), (5, [6, 9]), (6, [9])],
)
async def test_gap_is_told_just_to_those_who_miss_the_beginning(
    store: Store, feed: Feed, hub: EventHub, cursor: int, expected: list[str | int]
):
    """Events 1 to 4 are gone with all before them, 7 and 8 alone."""
    await written(store, "eeeeeesse")
    await age(store, 1, 2, 3, 4)
    await age(store, 7, 8, age_s=7200)
    assert await trim(store) == Trimmed(events=4, samples=2)
    items = await read(feed, hub, cursor, len(expected))
    assert [x.reason if isinstance(x, EventGap) else x.seq for x in items] == expected  # type: ignore[union-attr]


async def test_samples_that_went_before_the_beginning_did_are_no_gap(
    store: Store, feed: Feed, hub: EventHub
):
    """A reader that has seen the last event of the removed beginning misses nothing."""
    await written(store, "esse")
    await age(store, 2, 3, age_s=7200)
    await trim(store)
    await age(store, 1)
    assert await trim(store) == Trimmed(events=1, samples=0)
    assert await head(store) == (4, 1)
    (item,) = await read(feed, hub, 1, 1)
    assert isinstance(item, Event)
    assert item.seq == 4


async def test_removed_event_to_resume_after_is_not_held(store: Store, feed: Feed, hub: EventHub):
    await written(store, "eese")
    ids = [await event_id(feed, seq) for seq in (1, 3, 4)]
    await age(store, 1)
    await age(store, 3, age_s=7200)
    await trim(store)
    for gone in ids[:2]:
        assert await read(feed, hub, gone, 1) == [EventGap(gone, ids[2], "not-held")]
        with pytest.raises(NotFound, match=gone):
            await feed.page(globs=None, since=None, first=10, after=gone)


async def test_pages_pass_over_removed_samples(store: Store, feed: Feed):
    await written(store, "essese")
    first = await event_id(feed, 1)
    await age(store, 2, 3, 5, age_s=7200)
    await trim(store)
    page = await feed.page(globs=None, since=None, first=10, after=first)
    assert ([row.seq for row in page.rows], page.has_next) == ([4, 6], False)


async def test_readers_miss_nothing_untold_while_the_log_is_written_and_trimmed(
    store: Store, feed: Feed, hub: EventHub
):
    """Each event that is no sample reaches each reader once and in order, or a gap covers it; and
    there is no gap that covers nothing.
    """
    total = 240
    writer = asyncio.create_task(_write_and_trim(store, total))
    fast = asyncio.create_task(_follow_to(feed, hub, total, pause_s=0))
    slow = asyncio.create_task(_follow_to(feed, hub, total, pause_s=0.02))
    async with asyncio.timeout(DEADLINE_S):
        samples = await writer
        for items in (await fast, await slow):
            _check(items, total, samples)


async def _write_and_trim(store: Store, total: int) -> set[int]:
    """The numbers of the samples."""
    for n in range(1, total + 1):
        await store.write(say, f"e{n}", type=SAMPLE if n % 3 == 0 else PENDING)
        if n % 20 == 0:
            await age(store, *range(n - 39, n - 20), age_s=7200)
            await trim(store, keep_rows=50)
    return {n for n in range(1, total + 1) if n % 3 == 0}


async def _follow_to(
    feed: Feed, hub: EventHub, last: int, *, pause_s: float
) -> list[Event | EventGap | Signal]:
    items: list[Event | EventGap | Signal] = []
    async with aclosing(follow(feed, hub, globs=None, after=0)) as following:
        async for item in following:
            items.append(item)
            if isinstance(item, Event) and item.seq == last:
                return items
            await asyncio.sleep(pause_s)
    raise AssertionError("the hub ended")


def _check(items: list[Event | EventGap | Signal], last: int, samples: set[int]) -> None:
    cursor, gap = 0, False
    for item in items:
        if isinstance(item, EventGap):
            assert not gap
            gap = True
            continue
        assert isinstance(item, Event)
        missed = set(range(cursor + 1, item.seq))
        assert item.seq > cursor
        assert gap if missed - samples else True, f"{missed} untold"
        assert missed or not gap, f"a gap before {item.seq} that covers nothing"
        cursor, gap = item.seq, False
    assert cursor == last
