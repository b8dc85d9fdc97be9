"""One place commits: whole or not at all, and what leaves the process leaves after it."""

import asyncio
import threading

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from core.jobs.entity import Worker
from infra.bus.signal import Signal
from infra.db.store import DatabaseUnavailableError, Outbox, Store, Tx
from infra.db.types import db_now
from infra.settings import Database

TIMEOUT_S = 20


def add(tx: Tx, name: str, *, wake: str | None = None) -> str:
    tx.session.execute(insert(Worker).values(id=name, started_at=db_now(), alive_until=db_now()))
    if wake is not None:
        tx.outbox.wake.append(wake)
    return name


def names(tx: Tx) -> list[str]:
    return sorted(tx.session.scalars(select(Worker.id)))


@pytest.fixture
def handed_on(store: Store) -> list[Outbox]:
    """What the store has handed on so far."""
    outboxes: list[Outbox] = []
    store.on_commit = outboxes.append
    return outboxes


@pytest.mark.parametrize("lane", ["write", "heartbeat"])
async def test_write_commits_and_answers(store: Store, lane: str):
    assert await getattr(store, lane)(add, "a") == "a"
    assert await store.read(names) == ["a"]


async def test_exception_rolls_back_and_is_raised(store: Store, handed_on: list[Outbox]):
    def fails(tx: Tx) -> None:
        add(tx, "a", wake="job_a:1")
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        await store.write(fails)
    assert await store.read(names) == []
    assert handed_on == []


async def test_refused_statement_rolls_back_the_others(store: Store, handed_on: list[Outbox]):
    def twice(tx: Tx) -> None:
        add(tx, "a", wake="job_a:1")
        add(tx, "a")

    with pytest.raises(DBAPIError):
        await store.write(twice)
    assert await store.read(names) == []
    assert handed_on == []


async def test_store_goes_on_after_an_error(store: Store):
    def fails(_tx: Tx) -> None:
        raise LookupError

    for number in range(12):  # more than the connections of any pool
        with pytest.raises(LookupError):
            await store.write(fails)
        with pytest.raises(LookupError):
            await store.read(fails)
        await store.write(add, f"{number:02}")
    assert len(await store.read(names)) == 12


async def test_read_cannot_write(store: Store):
    with pytest.raises(DBAPIError, match=r"(?i)read-?\s?only"):
        await store.read(add, "a")
    assert await store.read(names) == []
    await store.write(add, "b")
    assert await store.read(names) == ["b"]


async def test_outbox_is_handed_on_after_the_commit(store: Store):
    seen: list[list[str]] = []
    done = asyncio.Event()

    async def look() -> None:
        # As another process that was just woken: it must find the row.
        seen.append(await store.read(names))
        done.set()

    tasks: list[asyncio.Task[None]] = []
    store.on_commit = lambda _outbox: tasks.append(asyncio.get_running_loop().create_task(look()))
    await store.write(add, "a", wake="job_a:1")
    await asyncio.wait_for(done.wait(), TIMEOUT_S)
    assert seen == [["a"]]


async def test_outbox_arrives_whole_and_once(store: Store, handed_on: list[Outbox]):
    signal = Signal("job.pending", "job_a", seq=1, event_id="evt_1")

    def write(tx: Tx) -> None:
        add(tx, "a", wake="job_a:1")
        tx.outbox.wake.append("job_b:1")
        tx.outbox.signals.append(signal)

    await store.write(write)
    assert handed_on == [Outbox(["job_a:1", "job_b:1"], [signal])]


async def test_transaction_without_an_outbox_hands_nothing_on(
    store: Store, handed_on: list[Outbox]
):
    await store.write(add, "a")
    await store.read(names)
    assert handed_on == []


async def test_hooks_run_last_and_in_order(store: Store):
    order: list[str] = []

    def write(tx: Tx) -> None:
        tx.before_commit.append(lambda tx: order.append(f"first sees {names(tx)}"))
        tx.before_commit.append(lambda _tx: order.append("second"))
        tx.session.add(Worker(id="a", **dict.fromkeys(("started_at", "alive_until"), _now(tx))))
        order.append("body")

    await store.write(write)
    assert order == ["body", "first sees ['a']", "second"]


async def test_failing_hook_rolls_back(store: Store, handed_on: list[Outbox]):
    def fails(_tx: Tx) -> None:
        raise LookupError

    def write(tx: Tx) -> None:
        add(tx, "a", wake="job_a:1")
        tx.before_commit.append(fails)

    with pytest.raises(LookupError):
        await store.write(write)
    assert await store.read(names) == []
    assert handed_on == []


async def test_cancelled_caller_does_not_lose_the_outbox(store: Store, handed_on: list[Outbox]):
    """The transaction is under way when its caller goes: it commits, and its outbox leaves."""
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    go_on = threading.Event()

    def slow(tx: Tx) -> None:
        add(tx, "a", wake="job_a:1")
        loop.call_soon_threadsafe(began.set)
        if store.dialect == "sqlite":  # on Postgres the function runs on the loop itself
            assert go_on.wait(TIMEOUT_S)

    caller = asyncio.create_task(store.write(slow))
    await asyncio.wait_for(began.wait(), TIMEOUT_S)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    async with asyncio.timeout(TIMEOUT_S):
        while not handed_on:  # noqa: ASYNC110 — the store has no event for it
            await asyncio.sleep(0.005)
    assert handed_on == [Outbox(["job_a:1"])]
    assert await store.read(names) == ["a"]


async def test_rows_outlive_their_transaction(store: Store):
    await store.write(add, "a")
    row = await store.read(lambda tx: tx.session.get_one(Worker, "a"))
    assert row.id == "a"
    assert row.started_at.tzinfo is not None


async def test_concurrent_writes_are_all_kept(store: Store):
    await asyncio.gather(*(store.write(add, f"{n:03}") for n in range(60)))
    assert await store.read(names) == [f"{n:03}" for n in range(60)]


async def test_database_that_answers_is_told_apart_from_one_that_does_not(store: Store, tmp_path):
    await store.ping()
    away = Store(Database(url=f"postgresql://nobody@/x?host={tmp_path}"))
    try:
        with pytest.raises(DatabaseUnavailableError, match=r"\S"):
            await away.ping()
    finally:
        await away.close()


def _now(tx: Tx):
    return tx.session.execute(select(db_now())).scalar_one()
