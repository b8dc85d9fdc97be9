"""Taking jobs: each by one worker, the most urgent first, and only those that are due."""

import asyncio
import subprocess
import sys
import textwrap
from datetime import timedelta

from core.jobs import claim
from core.jobs.kinds import JobState
from infra.db.store import Store, Tx
from infra.db.types import db_now
from infra.settings import Database
from tests.core.jobs.making import changed, events, last_event, put, row, take, taken
from tests.stack import ROOT

WORKERS, JOBS = 3, 40
CLAIMER = """
    import asyncio, sys
    from core.jobs import claim
    from infra.db.store import Store, Tx
    from infra.settings import Database

    async def main(url: str, me: str) -> None:
        store = Store(Database(url=url))
        async def one() -> None:
            while await store.read(claim.anything_due):
                if job := await store.write(claim.claim, owner=me, lease_ttl_s=60):
                    print(job.id, flush=True)
        await asyncio.gather(*(one() for _ in range(4)))
        await store.close()

    asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def test_claim_takes_the_job_and_says_so(store: Store):
    job = await put(store)
    claimed = await take(store, "w1", ttl_s=30)
    assert claimed is not None
    read = await row(store, job.id)
    assert read.id == claimed.id == job.id
    assert (read.state, read.epoch, read.attempt, read.stage) == (
        JobState.RUNNING, 1, 1, "starting",
    )  # fmt: skip
    assert read.lease_owner == "w1"
    assert read.started_at is not None
    assert read.lease_until is not None
    left = read.lease_until - read.started_at
    assert timedelta(seconds=29) < left < timedelta(seconds=31)
    assert await events(store) == ["job.pending", "job.running"]
    detail = (await last_event(store)).detail
    assert (detail["jobId"], detail["state"], detail["attempt"]) == (job.id, "RUNNING", 1)


async def test_nothing_due_is_none_and_no_event(store: Store):
    assert await take(store) is None
    assert not await store.read(claim.anything_due)
    await taken(store)
    assert await take(store) is None
    assert await events(store) == ["job.pending", "job.running"]


async def test_one_of_many_claimers_wins(store: Store):
    job = await put(store)
    found = await asyncio.gather(*(take(store, f"w{n}") for n in range(20)))
    winners = [claimed for claimed in found if claimed is not None]
    assert [claimed.id for claimed in winners] == [job.id]
    assert (await row(store, job.id)).lease_owner == winners[0].lease_owner
    assert await events(store) == ["job.pending", "job.running"]


def test_processes_never_take_the_same_job(database_url: str):
    asyncio.run(_fill(database_url))
    command = [sys.executable, "-c", textwrap.dedent(CLAIMER), database_url]
    processes = [
        subprocess.Popen([*command, f"w{n}"], cwd=ROOT, text=True, stdout=subprocess.PIPE)
        for n in range(WORKERS)
    ]
    try:
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    claimed = [job_id for output in outputs for job_id in output.split()]
    assert len(claimed) == len(set(claimed)) == JOBS
    assert [process.returncode for process in processes] == [0] * WORKERS


async def _fill(url: str) -> None:
    store = Store(Database(url=url))
    for _ in range(JOBS):
        await put(store)
    await store.close()


async def order(store: Store) -> list[str]:
    found = []
    while job := await take(store):
        found.append(job.input["target"])
    return found


async def test_more_urgent_first_then_the_older(store: Store):
    for age_s, (target, priority) in enumerate(zip("edcba", (0, 5, -5, 5, 0), strict=True)):
        job = await put(store, input={"target": target}, priority=priority)
        await changed(store, job.id, run_at=db_now(-1 - age_s))
    assert await order(store) == ["b", "d", "a", "e", "c"]


async def test_job_that_is_not_due_is_left(store: Store):
    later = await put(store, input={"target": "later"}, priority=100)
    await put(store, input={"target": "now"})
    await changed(store, later.id, run_at=db_now(60))
    assert await order(store) == ["now"]
    assert not await store.read(claim.anything_due)
    await changed(store, later.id, run_at=db_now(-1))
    assert await order(store) == ["later"]


async def test_claim_forgets_the_error_and_keeps_the_first_start(store: Store):
    job = await taken(store)
    first = (await row(store, job.id)).started_at
    await changed(store, job.id, state=JobState.PENDING, error_code="UNAVAILABLE",
                  error_message="x", error_hint="y", error_retryable=True, message="z",
                  lease_owner=None, lease_until=None)  # fmt: skip
    again = await take(store, "w2")
    assert again is not None
    read = await row(store, job.id)
    assert (read.error, read.message, read.started_at) == (None, None, first)
    assert (read.epoch, read.attempt, read.lease_owner) == (2, 2, "w2")


async def test_renewal_answers_the_epochs_of_its_own_running_jobs_only(store: Store):
    mine, other, ended, unsaid = [await taken(store, owner) for owner in ("w1", "w2", "w1", "w1")]
    await changed(store, ended.id, state=JobState.CANCELLED, epoch=2)
    await changed(store, mine.id, epoch=7)
    before = await row(store, unsaid.id)
    asked = [mine.id, other.id, ended.id, "job_unknown"]
    assert await store.heartbeat(claim.renew, asked, owner="w1", lease_ttl_s=120) == {mine.id: 7}
    renewed, kept = await row(store, mine.id), await row(store, other.id)
    assert renewed.lease_until is not None
    assert kept.lease_until is not None
    assert renewed.lease_until - kept.lease_until > timedelta(seconds=50)
    # Nobody said that this one runs: its lease has to end.
    assert (await row(store, unsaid.id)).lease_until == before.lease_until
    assert await store.heartbeat(claim.renew, [], owner="w1", lease_ttl_s=9) == {}


async def test_renewal_and_progress_of_many_jobs_never_deadlock(store: Store):
    """Both lock the same rows: progress in the order of ids, renewal however it is asked."""
    jobs = sorted([await taken(store) for _ in range(12)], key=lambda job: job.id)
    ids = [job.id for job in jobs]

    def report(tx: Tx, done: int) -> None:
        for job in jobs:
            assert claim.record(tx, claim.Progress(job.id, 1, "x", done, None, (), sample=False))

    async def renew() -> None:
        for n in range(40):
            order = ids if n % 2 else ids[::-1]
            renewed = await store.heartbeat(claim.renew, order, owner="w1", lease_ttl_s=60)
            assert len(renewed) == 12

    async def write() -> None:
        for n in range(40):
            await store.write(report, n)

    await asyncio.gather(renew(), write(), renew())
