"""What only Postgres makes possible: a process that stands still in the middle of a transaction."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from core.feed.entity import FeedHead
from infra.db.engine import IDLE_IN_TRANSACTION_S
from infra.db.store import DatabaseUnavailableError, Store, Tx
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
