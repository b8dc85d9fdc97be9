"""The sync process as it is started: one of several keeps house, and a dead one is replaced."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from core import ids
from core.feed.entity import Event
from core.jobs.kinds import JobState
from infra.db.locks import Lease
from infra.db.store import Store, Tx
from infra.db.types import db_now
from tests.core.feed.writing import say, subjects
from tests.core.jobs.making import changed, put
from tests.program import Program
from tests.stack import ROOT, environment

DAY_S = 86_400
DEADLINE_S = 30
LEASE_S = 2.0


class Sync(Program):
    """One replica."""

    def event(self, name: str, *, timeout_s: float = DEADLINE_S) -> dict[str, Any]:
        """The next line of its log that says so."""
        match = self.expect(rf'^{{.*"event": "{name}".*}}$', timeout_s=timeout_s)
        found: dict[str, Any] = json.loads(match[0])
        return found


@pytest.fixture
def start(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[[], Sync]]:
    env = environment(
        tmp_path / "home",
        {
            "MLLM_DATABASE_URL": database_url,
            "MLLM_REDIS_URL": redis_url,
            "MLLM_JOBS__HOUSEKEEPING_EVERY_S": "0.1",
            "MLLM_JOBS__HOUSEKEEPING_LEASE_S": str(LEASE_S),
        },
    )
    with ExitStack() as stack:

        def start() -> Sync:
            process = Sync([sys.executable, "-m", "jobs", "sync"], env=env, cwd=ROOT)
            stack.callback(process.close)
            return process

        yield start


async def age_all(store: Store) -> None:
    """A month later."""
    await store.write(_age)


def said_long_ago(tx: Tx) -> None:
    """Two events, a month old when they appear."""
    say(tx, "b", "c")
    tx.before_commit.append(_age)


def _age(tx: Tx) -> None:
    tx.session.execute(update(Event).values(at=db_now(-31 * DAY_S)))


async def until_empty(store: Store) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await subjects(store):  # noqa: ASYNC110 — another process empties it
            await asyncio.sleep(0.02)


async def owner(store: Store) -> str | None:
    query = select(Lease.owner)
    return await store.read(lambda tx: tx.session.execute(query).scalar_one_or_none())


async def test_one_replica_trims_and_says_what(store: Store, start: Callable[[], Sync]):
    job = await put(store)
    await changed(
        store, job.id, state=JobState.COMPLETED, dedupe_key=None, finished_at=db_now(-31 * DAY_S)
    )
    await store.write(say, "a", "b")
    await age_all(store)
    process = start()
    trimmed = process.event("housekeeping.trimmed")
    assert (trimmed["events"], trimmed["samples"], trimmed["jobs"]) == (3, 0, 1)
    assert await subjects(store) == []
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert await owner(store) is None


async def test_of_two_replicas_one_trims_and_the_other_takes_over_from_a_dead_one(
    store: Store, start: Callable[[], Sync]
):
    first = start()
    taken = first.event("housekeeping.taken")
    second = start()
    second.event("sync.ready")
    for _ in range(3):
        await store.write(say, "a")
        await age_all(store)
        await until_empty(store)
        assert first.event("housekeeping.trimmed")["events"] == 1
    assert await owner(store) == taken["owner"]
    assert "housekeeping.taken" not in second.output
    assert "housekeeping.trimmed" not in second.output

    first.signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    again = second.event("housekeeping.taken", timeout_s=LEASE_S + 10)
    assert await owner(store) == again["owner"] != taken["owner"]
    await store.write(said_long_ago)
    await until_empty(store)
    assert second.event("housekeeping.trimmed")["events"] == 2


async def test_replica_that_slept_finds_the_other_at_work_and_removes_nothing(
    store: Store, start: Callable[[], Sync]
):
    first = start()
    first.event("housekeeping.taken")
    second = start()
    second.event("sync.ready")
    first.signal(signal.SIGSTOP)
    second.event("housekeeping.taken", timeout_s=LEASE_S + 10)
    first.signal(signal.SIGCONT)
    first.event("housekeeping.lost")
    await store.write(say, "a")
    await age_all(store)
    await until_empty(store)
    second.event("housekeeping.trimmed")
    assert "housekeeping.trimmed" not in first.output


async def test_replica_that_ends_lets_go_at_once(store: Store, start: Callable[[], Sync]):
    first = start()
    first.event("housekeeping.taken")
    second = start()
    second.event("sync.ready")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    second.event("housekeeping.taken", timeout_s=LEASE_S)


async def test_staging_that_nobody_goes_on_with_is_removed(
    store: Store, start: Callable[[], Sync], tmp_path: Path
):
    staging = tmp_path / "home" / "weights" / ".staging"
    paused, cancelled = await put(store, dedupe_key="k"), await put(store)
    await changed(store, paused.id, state=JobState.PAUSED)
    await changed(store, cancelled.id, state=JobState.CANCELLED, finished_at=db_now())
    process = start()
    process.event("housekeeping.taken")
    for name in (paused.id, cancelled.id, ids.new(ids.Prefix.JOB)):
        (staging / name / "deep").mkdir(parents=True)
        (staging / name / "deep" / "part").write_bytes(b"x")
    process.event("staging.discarded")
    process.event("staging.discarded")
    async with asyncio.timeout(DEADLINE_S):
        while [p.name for p in staging.iterdir()] != [paused.id]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (staging / paused.id / "deep" / "part").read_bytes() == b"x"
