"""A job's log: lines without holes, over attempts and writers, and one event for each batch."""

import asyncio
from datetime import UTC, datetime

from core.jobs import logs
from core.jobs.kinds import LogLevel
from core.jobs.logs import Line
from infra.db.store import Store
from tests.core.jobs.making import events, last_event, put, row, taken


async def test_lines_are_numbered_over_batches_and_told_in_one_event_each(store: Store):
    job = await put(store)
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    first = [Line("one", LogLevel.INFO, "starting", at), Line("two", LogLevel.ERROR)]
    assert await store.write(logs.write, job.id, first)
    assert await store.write(logs.write, job.id, [Line("three")])
    lines = await store.read(logs.listed, job.id, after_n=0, limit=10)
    assert [(x.n, x.message, x.level, x.stage) for x in lines] == [
        (1, "one", "INFO", "starting"), (2, "two", "ERROR", None), (3, "three", "INFO", None),
    ]  # fmt: skip
    assert lines[0].at == at
    assert (await row(store, job.id)).log_count == 3
    assert await events(store) == ["job.pending", "job.log", "job.log"]
    event = await last_event(store)
    assert event.subject_id == job.id
    assert event.detail == {
        "jobId": job.id,
        "lines": [
            {"n": 3, "at": lines[2].at.isoformat(), "level": "INFO", "stage": None,
             "message": "three"}
        ],
    }  # fmt: skip


async def test_no_lines_are_no_event(store: Store):
    job = await put(store)
    assert await store.write(logs.write, job.id, [], epoch=99)
    assert await events(store) == ["job.pending"]


async def test_concurrent_writers_leave_no_hole(store: Store):
    job = await taken(store)
    batches = [[Line(f"{n}.{i}") for i in range(n % 4 + 1)] for n in range(30)]
    assert all(
        await asyncio.gather(
            *(store.write(logs.write, job.id, batch, epoch=1) for batch in batches)
        )
    )
    lines = await store.read(logs.listed, job.id, after_n=0, limit=1000)
    total = sum(len(batch) for batch in batches)
    assert [line.n for line in lines] == list(range(1, total + 1))
    messages = [line.message for line in lines]
    for batch in batches:  # each batch in one piece
        at = messages.index(batch[0].message)
        assert messages[at : at + len(batch)] == [line.message for line in batch]


async def test_log_of_an_unknown_job_is_not_written(store: Store):
    assert not await store.write(logs.write, "job_none", [Line("x")])
    assert await events(store) == []


async def test_long_line_is_cut(store: Store):
    job = await put(store)
    await store.write(logs.write, job.id, [Line("x" * 10_000)])
    (line,) = await store.read(logs.listed, job.id, after_n=0, limit=10)
    assert len(line.message) == logs.MESSAGE_CHARS == 4096


async def test_page_after_a_line(store: Store):
    job, other = await put(store), await put(store)
    await store.write(logs.write, job.id, [Line(str(n)) for n in range(1, 6)])
    await store.write(logs.write, other.id, [Line("other")])
    lines = await store.read(logs.listed, job.id, after_n=2, limit=2)
    assert [line.n for line in lines] == [3, 4]
