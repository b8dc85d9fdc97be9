"""The log: `seq` has no holes and is the order of commits, whoever writes, and reads page by it."""

import asyncio
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest

from core import ids
from core.clock import now
from core.errors import BadId, NotFound
from core.feed.kinds import EventType
from core.feed.service import Feed
from infra.bus.signal import Signal
from infra.db.store import Outbox, Store, Tx
from infra.settings import Database
from tests.core.feed.writing import rows, say, subjects
from tests.stack import ROOT

WRITERS, TRANSACTIONS = 3, 40
WRITER = """
    import asyncio, sys
    from infra.db.store import Store, Tx
    from infra.settings import Database
    from tests.core.feed.writing import rows, say

    class Undone(Exception):
        pass

    def write(tx: Tx, me: str, n: int) -> None:
        say(tx, f"{me}:{n}:a", f"{me}:{n}:b")
        if n % 3 == 0:
            # At the very end, with the sequence numbers taken
            tx.before_commit.append(undo)

    def undo(tx: Tx) -> None:
        raise Undone

    async def main(url: str, me: str, count: int) -> None:
        store = Store(Database(url=url))
        async def one(n: int) -> None:
            try:
                await store.write(write, me, n)
            except Undone:
                pass
        await asyncio.gather(*(one(n) for n in range(count)))
        await store.close()

    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def test_numbers_have_no_holes_under_concurrent_writers(database_url: str):
    """Also not where transactions are rolled back, and two events of one stay together."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), database_url]
    processes = [
        subprocess.Popen(
            [*command, f"w{n}", str(TRANSACTIONS)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(WRITERS)
    ]
    try:
        errors = [process.communicate(timeout=60)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert errors == [""] * WRITERS
    written = asyncio.run(_all(database_url))
    kept = [n for n in range(TRANSACTIONS) if n % 3]
    assert [seq for seq, _ in written] == list(range(1, 2 * WRITERS * len(kept) + 1))
    assert {s for _, s in written} == {
        f"w{w}:{n}:{x}" for w in range(WRITERS) for n in kept for x in "ab"
    }
    pairs = zip(written[::2], written[1::2], strict=True)
    assert all(a[1][:-1] == b[1][:-1] and a[1] < b[1] for a, b in pairs if a[1] and b[1])


async def _all(url: str) -> list[tuple[int, str | None]]:
    store = Store(Database(url=url))
    try:
        return await subjects(store)
    finally:
        await store.close()


async def test_numbers_are_the_order_in_which_commits_become_visible(store: Store):
    """A reader that goes on after the last number it saw never misses a row."""
    stop = asyncio.Event()
    seen: list[int] = []

    async def look() -> None:
        new = await feed.rows_after(seen[-1] if seen else 0, 1000)
        seen.extend(row.seq for row in new)

    async def read() -> None:
        while not stop.is_set():
            await look()
        await look()

    feed = Feed(store)
    reader = asyncio.create_task(read())
    await asyncio.gather(*(store.write(say, f"s{n}") for n in range(80)))
    stop.set()
    await reader
    assert seen == list(range(1, 81))


async def test_signal_of_each_event_leaves_after_the_commit(store: Store):
    outboxes: list[Outbox] = []
    store.on_commit = outboxes.append
    await store.write(say, "a", "b")
    first, second = await store.read(rows)
    assert [outbox.signals for outbox in outboxes] == [
        [
            Signal("job.pending", "a", seq=1, event_id=first.id),
            Signal("job.pending", "b", seq=2, event_id=second.id),
        ]
    ]


async def test_rolled_back_event_is_neither_stored_nor_signalled(store: Store):
    outboxes: list[Outbox] = []
    store.on_commit = outboxes.append

    def fails(tx: Tx) -> None:
        say(tx, "a")
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(fails)
    assert (await store.read(rows), outboxes, await Feed(store).head()) == ([], [], 0)


async def test_event_is_stored_as_it_was_said(store: Store):
    before = now()
    await store.write(say, "job_x", type=EventType.JOB_LOG)
    (row,) = await store.read(rows)
    assert ids.prefix_of(row.id) is ids.Prefix.EVENT
    assert (row.seq, row.type, row.subject_id) == (1, "job.log", "job_x")
    assert row.detail == {"said": "job_x"}
    assert before <= row.at <= now()


@pytest.fixture
async def feed(store: Store) -> Feed:
    """Ten events: pending a0, log b1, progress c2, and so on."""
    kinds = (EventType.JOB_PENDING, EventType.JOB_LOG, EventType.JOB_PROGRESS)
    for n in range(10):
        await store.write(say, f"{'abc'[n % 3]}{n}", type=kinds[n % 3])
    return Feed(store)


def said(events) -> list[str | None]:
    return [event.subject_id for event in events]


async def test_head_is_the_last_number(feed: Feed):
    assert await feed.head() == 10


async def test_rows_after_a_number(feed: Feed):
    assert said(await feed.rows_after(7, 100)) == ["b7", "c8", "a9"]
    assert said(await feed.rows_after(0, 2)) == ["a0", "b1"]
    assert said(await feed.rows_after(10, 100)) == []
    assert [s.seq for s in await feed.after(8, 100)] == [9, 10]


async def test_latest_leaves_samples_out(feed: Feed):
    assert said(await feed.latest(3)) == ["a6", "b7", "a9"]
    assert said(await feed.latest(100)) == ["a0", "b1", "a3", "b4", "a6", "b7", "a9"]
    assert said(await feed.latest(0)) == []


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["job.log"], ["b4", "b7"]),
        (["job.*"], ["b7", "a9"]),
        (["*"], ["b7", "a9"]),
        (["weights.*"], []),
        (["job.l*", "job.pend?ng"], ["b7", "a9"]),
        (["nonsense"], []),
        ([], []),
    ],
)
async def test_latest_of_some_types(feed: Feed, globs: list[str], expected: list[str]):
    assert said(await feed.latest(2, globs=globs)) == expected


async def test_find_knows_what_is_held(feed: Feed):
    (last,) = await feed.latest(1)
    found = await feed.find(last.id.upper())
    assert found is not None
    assert found.seq == 10
    assert await feed.find(ids.new(ids.Prefix.EVENT)) is None
    with pytest.raises(BadId):
        await feed.find(ids.new(ids.Prefix.JOB))


async def page(feed: Feed, **asked):
    found = await feed.page(**{"globs": None, "since": None, "first": 4, "after": None, **asked})
    return said(found.rows), found.has_previous, found.has_next


async def test_page_without_a_bound_is_the_last_events(feed: Feed):
    assert await page(feed) == (["a6", "b7", "c8", "a9"], True, False)
    assert await page(feed, first=10) == ([f"{'abc'[n % 3]}{n}" for n in range(10)], False, False)
    assert await page(feed, globs=["job.log"]) == (["b1", "b4", "b7"], False, False)


async def test_pages_after_an_event_walk_to_the_end(feed: Feed):
    start = (await feed.rows_after(0, 1))[0]
    first = await feed.page(globs=None, since=None, first=4, after=start.id)
    assert (said(first.rows), first.has_next) == (["b1", "c2", "a3", "b4"], True)
    assert list(first.cursors) == [row.id for row in first.rows]
    assert await page(feed, after=first.cursors[-1], first=5) == (
        ["c5", "a6", "b7", "c8", "a9"], True, False,
    )  # fmt: skip
    (last,) = await feed.latest(1)
    assert await page(feed, after=last.id) == ([], True, False)


async def test_page_since_a_time_starts_at_the_oldest(feed: Feed):
    sixth = (await feed.rows_after(5, 1))[0]
    assert await page(feed, since=sixth.at, first=2) == (["c5", "a6"], False, True)
    assert await page(feed, since=now() + timedelta(hours=1)) == ([], False, False)


async def test_page_after_an_event_that_is_not_held_is_told(feed: Feed):
    gone = ids.new(ids.Prefix.EVENT)
    with pytest.raises(NotFound, match=gone):
        await page(feed, after=gone)
