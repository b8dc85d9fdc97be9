"""Closing a store while a transaction goes on whose caller is gone."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from infra.db.store import Store, Tx
from infra.settings import Database
from tests.postgres import Cluster

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    url = postgres.create()
    yield url
    postgres.drop(url)


def slow(tx: Tx) -> None:
    tx.session.execute(text("CREATE TABLE done (n int)"))
    tx.session.execute(text("SELECT pg_sleep(0.5)"))


def others(tx: Tx) -> int:
    """Connections to this database besides the one that asks."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return int(tx.session.execute(query).scalar_one())


async def test_transaction_of_a_cancelled_caller_is_finished_and_its_connection_closed(url: str):
    watcher, store = Store(Database(url=url)), Store(Database(url=url))
    writing = asyncio.create_task(store.write(slow))
    while not await watcher.read(others):  # noqa: ASYNC110 - the server tells it to who asks
        await asyncio.sleep(0.01)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await store.close()
    assert await watcher.read(others) == 0
    await watcher.read(lambda tx: tx.session.execute(text("SELECT n FROM done")))
    await watcher.close()
