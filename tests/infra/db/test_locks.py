"""A lease: one owner at a time, replaced once its time is over, and fenced in every step."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update

from core.jobs import presence
from infra.db import locks
from infra.db.locks import Lease, LeaseLost
from infra.db.store import Store, Tx
from infra.db.types import db_now
from infra.settings import Database

TTL_S = 60.0


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Store]:
    """As another process has it."""
    store = Store(Database(url=database_url))
    yield store
    await store.close()


async def hold(store: Store, owner: str, *, name: str = "x", ttl_s: float = TTL_S) -> bool:
    return await store.write(locks.hold, name, owner=owner, ttl_s=ttl_s)


def owners(tx: Tx) -> dict[str, str]:
    return {lease.name: lease.owner for lease in tx.session.scalars(select(Lease))}


def end(tx: Tx) -> None:
    """As if nobody had renewed for long."""
    tx.session.execute(update(Lease).values(until=db_now(-1)))


def work(tx: Tx, owner: str) -> None:
    locks.require(tx, "x", owner=owner, ttl_s=TTL_S)
    presence.arrive(tx, owner, lease_ttl_s=TTL_S)


async def test_first_one_holds_it_and_renews_it_and_nobody_else_gets_it(store: Store):
    assert [await hold(store, owner) for owner in ("a", "b", "a", "b")] == [
        True,
        False,
        True,
        False,
    ]
    assert await store.read(owners) == {"x": "a"}


async def test_leases_of_different_names_are_independent(store: Store):
    assert await hold(store, "a")
    assert await hold(store, "b", name="y")
    assert await store.read(owners) == {"x": "a", "y": "b"}


async def test_of_many_that_try_at_once_one_wins(store: Store, other: Store):
    tries = [hold(s, f"{n}{s is store}") for n in range(10) for s in (store, other)]
    assert sorted(await asyncio.gather(*tries)) == [False] * 19 + [True]


async def test_lease_that_is_over_goes_to_one_of_those_who_ask(store: Store, other: Store):
    await hold(store, "dead")
    await store.write(end)
    tries = [hold(s, f"{n}{s is store}") for n in range(5) for s in (store, other)]
    assert sorted(await asyncio.gather(*tries)) == [False] * 9 + [True]
    assert (await store.read(owners))["x"] != "dead"


async def test_owner_that_slept_keeps_it_while_nobody_asked(store: Store):
    await hold(store, "a")
    await store.write(end)
    assert await hold(store, "a")
    assert not await hold(store, "b")


async def test_step_of_an_owner_that_was_replaced_is_rolled_back(store: Store):
    await hold(store, "a")
    await store.write(end)
    await hold(store, "b")
    with pytest.raises(LeaseLost):
        await store.write(work, "a")
    assert await store.read(presence.alive) == 0
    await store.write(work, "b")
    assert await store.read(presence.alive) == 1


async def test_released_lease_is_free_at_once_and_only_its_owner_releases_it(store: Store):
    await hold(store, "a")
    await store.write(locks.release, "x", owner="b")
    assert not await hold(store, "b")
    await store.write(locks.release, "x", owner="a")
    assert await hold(store, "b")
