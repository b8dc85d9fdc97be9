"""What test_store_full.py runs: SQLite on a volume that is full."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.jobs import presence
from infra.db.ballast import PIECE_BYTES, Ballast
from infra.db.store import DatabaseFullError, Store
from infra.settings import Database
from migrations.upgrade import upgrade
from tests.core.feed.writing import say, subjects
from tests.infra.db.test_store import add, names
from tests.postgres import in_thread
from tests.small_volume import fill, mounted

MIB = 1 << 20
BALLAST_BYTES = 3 * MIB


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    return mounted(tmp_path / "small", size_bytes=16 * MIB)


@pytest.fixture
async def store(volume: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{volume}/mllm.db"
    in_thread(lambda: upgrade(url))
    store = Store(Database(url=url, ballast_bytes=BALLAST_BYTES))
    await store.ping()
    yield store
    await store.close()


def ballast(volume: Path) -> int:
    file = volume / "mllm.db-ballast"
    return file.stat().st_size if file.exists() else 0


async def exhaust(store: Store) -> list[str]:
    """Writes until nothing can be written: the log has room of its own at first. What stands."""
    said: list[str] = []
    while True:
        try:
            await store.write(say, f"e{len(said)}")
        except DatabaseFullError:
            return said
        said.append(f"e{len(said)}")


async def test_change_that_must_be_written_is_written_and_no_other(store: Store, volume: Path):
    assert await store.keep_ballast()
    assert ballast(volume) == BALLAST_BYTES
    filler = fill(volume)
    said = await exhaust(store)
    assert [s for _, s in await subjects(store)] == said
    assert ballast(volume) == BALLAST_BYTES
    await store.settle(say, "end")
    assert [s for _, s in await subjects(store)] == [*said, "end"]
    assert ballast(volume) == BALLAST_BYTES - PIECE_BYTES

    filler.unlink()
    await store.write(say, "after")
    assert [s for _, s in await subjects(store)] == [*said, "end", "after"]
    assert await store.keep_ballast()
    assert ballast(volume) == BALLAST_BYTES


async def test_lease_is_renewed_on_a_full_disk(store: Store, volume: Path):
    await store.keep_ballast()
    fill(volume)
    await exhaust(store)
    await store.heartbeat(presence.beat, "w1", [], lease_ttl_s=5)
    assert await store.read(presence.alive) == 1
    assert ballast(volume) == BALLAST_BYTES - PIECE_BYTES


async def test_transaction_too_big_for_the_ballast_is_refused_whole(store: Store, volume: Path):
    await store.keep_ballast()
    fill(volume)
    said = await exhaust(store)
    with pytest.raises(DatabaseFullError):
        await store.settle(lambda tx: [add(tx, f"{n}{'x' * 4000}") for n in range(2000)])
    assert ballast(volume) == 0
    assert await store.read(names) == []
    assert [s for _, s in await subjects(store)] == said


async def test_without_ballast_nothing_is_written_and_all_can_be_read(store: Store, volume: Path):
    fill(volume)
    said = await exhaust(store)
    with pytest.raises(DatabaseFullError):
        await store.settle(say, "end")
    assert [s for _, s in await subjects(store)] == said


async def test_file_can_be_opened_on_a_full_disk(store: Store, volume: Path):
    """As by a process that is started anew: SQLite needs some shared memory even to read."""
    await store.keep_ballast()
    await store.write(say, "before")
    await store.close()
    fill(volume)
    again = Store(Database(url=f"sqlite:///{volume}/mllm.db", ballast_bytes=BALLAST_BYTES))
    assert await subjects(again) == [(1, "before")]
    assert ballast(volume) == BALLAST_BYTES - PIECE_BYTES
    await again.close()


async def test_ballast_is_not_taken_where_little_would_be_left(volume: Path):
    size_bytes = 6 * MIB
    kept = Ballast(volume / "ballast", size_bytes)
    (volume / "others").write_bytes(bytes(5 * MIB))
    assert not kept.take()
    assert not (volume / "ballast").exists()
    (volume / "others").write_bytes(bytes(3 * MIB))
    assert kept.take()
    assert (volume / "ballast").stat().st_blocks * 512 == size_bytes
    fill(volume)
    pieces = 0
    while kept.give_up():
        pieces += 1
    assert pieces == 6
    assert not kept.take()
    assert (volume / "ballast").stat().st_size == 0
