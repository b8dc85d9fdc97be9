"""What only Postgres makes possible: a process that stands still in the middle of a transaction."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from core.clock import now
from core.feed.entity import FeedHead
from core.jobs.entity import Worker
from infra.db.engine import IDLE_IN_TRANSACTION_S
from infra.db.store import RACES, DatabaseUnavailableError, Store, Tx
from infra.settings import Database
from tests.postgres import Cluster

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    url = postgres.create()
    yield url
    postgres.drop(url)


def count(tx: Tx) -> int:
    """Takes the lock that every transaction with an event takes."""
    query = update(FeedHead).values(seq=FeedHead.seq + 1).returning(FeedHead.seq)
    return tx.session.execute(query).scalar_one()


class StandingStill:
    """A process that was stopped in a write transaction, after it has taken the lock: nothing of
    its loop runs.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.holds = threading.Event()
        self.goes_on = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._write()))

    def __enter__(self) -> "StandingStill":
        self._thread.start()
        assert self.holds.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.goes_on.set()
        self._thread.join(10)

    async def _write(self) -> None:
        store = Store(Database(url=self._url))

        def stand(tx: Tx) -> None:
            count(tx)
            self.holds.set()
            self.goes_on.wait(30)
            count(tx)

        try:
            await store.write(stand)
        except DatabaseUnavailableError as e:
            self.error = e
        finally:
            await store.close()


async def test_process_that_stands_still_in_a_transaction_does_not_hold_up_the_others(url: str):
    """A stopped worker held the head of the log for as long as it was stopped, and every cancel
    and claim of the installation waited. Found by the chaos harness.
    """
    store = Store(Database(url=url))
    with StandingStill(url) as still:
        began_s = time.monotonic()
        assert await store.write(count) == 1
        assert time.monotonic() - began_s < IDLE_IN_TRANSACTION_S + 2
    assert isinstance(still.error, DatabaseUnavailableError)
    assert await store.read(lambda tx: tx.session.execute(select(FeedHead.seq)).scalar_one()) == 1
    await store.close()


async def test_process_has_one_write_under_way(url: str):
    """So one that stands still holds the others up once, not once for each of its writes that
    wait for the head of the log. Found by the chaos harness: 30 s without a claim.
    """
    store, under_way, most = Store(Database(url=url)), 0, 0

    def look(tx: Tx) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        count(tx)
        under_way -= 1

    await asyncio.gather(*(store.write(look) for _ in range(10)))
    assert most == 1
    await store.close()


async def test_who_loses_a_race_for_a_key_sees_the_winner(url: str):
    """Two equal installs at once: the second joins the first instead of failing. Found by the chaos
    harness, which asked again when the api died.
    """
    both_have_looked = threading.Barrier(2)
    looks: list[str | None] = []

    def look_and_add(tx: Tx) -> str:
        found = tx.session.scalars(select(Worker.id)).one_or_none()
        looks.append(found)
        if found is not None:
            return "joined"
        both_have_looked.wait(10)
        tx.session.add(Worker(id="w", started_at=now(), alive_until=now()))
        return "added"

    def ask() -> str:
        async def write() -> str:
            store = Store(Database(url=url))
            try:
                return await store.write(look_and_add)
            finally:
                await store.close()

        return asyncio.run(write())

    answers = await asyncio.gather(asyncio.to_thread(ask), asyncio.to_thread(ask))
    assert sorted(answers) == ["added", "joined"]
    assert looks == [None, None, "w"]


async def test_collision_that_is_no_race_is_raised_in_the_end(url: str):
    store, calls = Store(Database(url=url)), []

    def add_twice(tx: Tx) -> None:
        calls.append(1)
        for _ in range(2):
            tx.session.execute(insert(Worker).values(id="w", started_at=now(), alive_until=now()))

    with pytest.raises(IntegrityError):
        await store.write(add_twice)
    assert len(calls) == RACES
    await store.close()
