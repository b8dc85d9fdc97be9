"""How much twenty running jobs say: bounded for the process and for each job, and nothing lost."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import redis

from core.jobs import claim, logs
from core.jobs.claim import Fenced
from core.jobs.entity import Job
from core.services import Services, open_services
from infra.bus.publisher import MESSAGE_FIELD
from infra.bus.signal import Signal
from infra.settings import Jobs as JobSettings
from jobs.context import TaskContext
from jobs.reporting import Reporter
from tests.core.jobs.making import FILES, CountingStore, changed, put_in, row
from tests.jobs.site import Site, eventually

JOBS = 20
WINDOW_S = 2.0
STREAM = "mllm:events"


@pytest.fixture
async def counted(site: Site) -> AsyncIterator[Services]:
    """Services over a store that counts."""
    settings = site.settings()
    async with open_services(settings, follows_events=False) as services:
        store = CountingStore(settings.database)
        store.on_commit = services.store.on_commit
        yield replace(services, store=store)
        await store.close()


async def running(services: Services, count: int) -> list[TaskContext]:
    """Runs of so many jobs, in no order."""

    def claimed(tx) -> Job:
        put_in(tx, JobSettings(), bytes_total=1 << 40, files=FILES)
        job = claim.claim(tx, owner="w1", lease_ttl_s=60)
        assert job is not None
        return job

    jobs = [await services.store.write(claimed) for _ in range(count)]
    return [TaskContext(job, services, lambda: True) for job in jobs[::-1]]


def ticks(url: str) -> Counter[str | None]:
    """Progress without a row, by job, as any process reads it from the stream."""
    with redis.Redis.from_url(url) as client:
        entries = client.xrange(STREAM)
    signals = [Signal.decode(fields[MESSAGE_FIELD]) for _id, fields in entries]
    return Counter(s.subject for s in signals if s.seq is None and s.type == "job.progress")


async def test_twenty_jobs_stay_within_the_writes_and_ticks_they_may_cost(
    counted: Services, redis_url: str
):
    runs = await running(counted, JOBS)
    store = counted.store
    assert isinstance(store, CountingStore)
    before, stop = store.writes, threading.Event()

    def download(run: TaskContext) -> None:
        while not stop.is_set():
            run.meter.add("a.bin", 10_000)
            time.sleep(0.01)

    threads = [threading.Thread(target=download, args=(run,)) for run in runs]
    reporter = Reporter(counted, lambda: runs, lambda _run: None)
    for thread in threads:
        thread.start()
    loops = [
        asyncio.create_task(reporter.tick_forever()),
        asyncio.create_task(reporter.flush_forever()),
    ]
    await asyncio.sleep(WINDOW_S)  # the measured window
    for loop in loops:
        loop.cancel()
    await asyncio.wait(loops)
    stop.set()
    for thread in threads:
        thread.join()
    writes = store.writes - before
    assert 3 <= writes <= 4 * WINDOW_S + 1
    counts = ticks(redis_url)
    assert set(counts) <= {run.job.id for run in runs}
    assert max(counts.values()) <= 10 * WINDOW_S + 1
    assert len(counts) == JOBS
    samples = Counter(
        e.subject_id for e in await counted.feed.rows_after(0, 1000) if e.type == "job.progress"
    )
    assert set(samples) == set(counts)
    assert max(samples.values()) <= WINDOW_S + 1
    for run in runs[:2]:
        assert ((await row(store, run.job.id)).bytes_done or 0) > 0


async def test_nothing_new_costs_nothing(counted: Services):
    (run,) = await running(counted, 1)
    store = counted.store
    assert isinstance(store, CountingStore)
    reporter = Reporter(counted, lambda: [run], lambda _run: None)
    run.meter.add("a.bin", 5)
    await reporter.flush([run])
    before = store.writes
    for _ in range(3):
        await reporter.flush([run])
    assert store.writes == before


async def test_lines_are_written_in_order_and_once(counted: Services):
    (run,) = await running(counted, 1)
    reporter = Reporter(counted, lambda: [run], lambda _run: None)
    for n in range(5):
        run.log(str(n))
    await asyncio.gather(reporter.flush([run]), reporter.flush([run]))
    run.log("5")
    await reporter.flush([run])
    lines = await counted.store.read(logs.listed, run.job.id, after_n=0, limit=100)
    assert [(line.n, line.message) for line in lines] == [(n + 1, str(n)) for n in range(6)]


async def test_more_lines_than_fit_are_counted(counted: Services):
    (run,) = await running(counted, 1)
    reporter = Reporter(counted, lambda: [run], lambda _run: None)
    for n in range(1003):
        run.log(str(n))
    await reporter.flush([run])
    lines = await counted.store.read(logs.listed, run.job.id, after_n=0, limit=2000)
    assert [line.message for line in lines[:2]] == ["3 lines were lost here", "3"]
    assert len(lines) == 1001


async def test_run_that_lost_its_job_is_told_and_the_others_are_written(counted: Services):
    runs = await running(counted, 3)
    lost: list[TaskContext] = []
    reporter = Reporter(counted, lambda: runs, lost.append)
    await changed(counted.store, runs[1].job.id, epoch=2)
    for run in runs:
        run.meter.add("a.bin", 7)
        run.log("line")
    await reporter.flush(runs)
    assert lost == [runs[1]]
    rows = [await row(counted.store, run.job.id) for run in runs]
    assert [(r.bytes_done, r.log_count) for r in rows] == [(7, 1), (0, 0), (7, 1)]


async def test_what_a_failed_write_held_is_written_later(counted: Services):
    (run,) = await running(counted, 1)
    reporter = Reporter(counted, lambda: [run], lambda _run: None)
    run.meter.add("a.bin", 7)
    run.log("line")
    asked: list[str] = []

    class Away(CountingStore):
        async def write(self, fn, /, *args, **kwargs):
            asked.append(fn.__name__)
            raise OSError("away")

    away = Away(counted.settings.database)
    broken = Reporter(replace(counted, store=away), lambda: [run], lambda _run: None)
    with pytest.raises(OSError, match="away"):
        await broken.flush([run])
    await away.close()
    assert len(asked) == 1
    await reporter.flush([run])
    read = await row(counted.store, run.job.id)
    assert (read.bytes_done, read.log_count) == (7, 1)


async def test_blocking_work_is_waited_for_when_its_run_is_cancelled(counted: Services):
    (run,) = await running(counted, 1)
    began = threading.Event()
    ended: list[bool] = []

    def work() -> None:
        began.set()
        while not run.stop.is_set():
            time.sleep(0.001)
        ended.append(True)

    task = asyncio.create_task(run.blocking(work))
    await eventually(began.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    with pytest.raises(Fenced):
        run.guard()
