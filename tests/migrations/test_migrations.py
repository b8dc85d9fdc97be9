"""The steps of the schema, up and down on both databases, and what many starters at once do."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from core.services import Services  # noqa: F401 — the tables of every noun
from infra.db.base import Base
from infra.db.engine import is_sqlite, postgres_engine, sqlite_engine
from migrations import HEAD
from migrations.upgrade import configuration, downgrade, upgrade
from tests.postgres import in_thread
from tests.stack import ROOT

T = TypeVar("T")
STARTERS = 8


def look(url: str, at: Callable[[Connection], T]) -> T:
    """What `at` says of the database."""
    if is_sqlite(url):
        engine = sqlite_engine(url)
        with engine.begin() as connection:
            found = at(connection)
        engine.dispose()
        return found

    async def ask() -> T:
        engine = postgres_engine(url, pool_size=1)
        async with engine.begin() as connection:
            answer = await connection.run_sync(at)
        await engine.dispose()
        return answer

    return in_thread(lambda: asyncio.run(ask()))


def differences(connection: Connection) -> list[object]:
    """What autogenerate would write: nothing, where tables and entities agree."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def version(connection: Connection) -> str:
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def migrate(url: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-m", "migrations"],
        cwd=ROOT,
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(url: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLLM_")}
    return {**kept, "MLLM_DATABASE_URL": url, "MLLM_HOME": "/nonexistent"}


def test_head_is_the_newest_step():
    assert ScriptDirectory.from_config(configuration("")).get_heads() == [HEAD]


def test_up_down_and_up_again_leaves_what_the_entities_say(empty_database_url: str):
    def step(work: Callable[[], None]) -> None:
        in_thread(work)

    step(lambda: upgrade(empty_database_url))
    assert look(empty_database_url, differences) == []
    assert look(empty_database_url, version) == HEAD
    step(lambda: downgrade(empty_database_url, "base"))
    assert look(empty_database_url, tables) == {"alembic_version"}
    step(lambda: upgrade(empty_database_url))
    assert look(empty_database_url, differences) == []
    assert look(empty_database_url, tables) == {"alembic_version", *Base.metadata.tables}
    head = look(
        empty_database_url, lambda c: c.execute(text("SELECT id, seq FROM feed_head")).all()
    )
    assert head == [(1, 0)]


def test_failed_step_leaves_nothing_behind(empty_database_url: str):
    """All steps are one transaction: the next start begins where this one began."""
    look(empty_database_url, lambda c: c.execute(text("CREATE TABLE weights_files (x INTEGER)")))
    broken = migrate(empty_database_url)
    assert broken.returncode == 1
    assert "weights_files" in broken.stderr
    assert look(empty_database_url, tables) == {"weights_files"}
    look(empty_database_url, lambda c: c.execute(text("DROP TABLE weights_files")))
    assert migrate(empty_database_url).returncode == 0
    assert look(empty_database_url, differences) == []


@pytest.mark.e2e
def test_starters_at_once_take_turns(empty_database_url: str):
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "migrations"],
            cwd=ROOT,
            env=environment(empty_database_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(STARTERS)
    ]
    try:
        outputs = [process.communicate(timeout=90)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * STARTERS, outputs
    said = {"database is migrated\n", f"database is at {HEAD}\n"}
    assert set(outputs) <= said
    assert "database is migrated\n" in outputs
    assert look(empty_database_url, version) == HEAD
    assert look(empty_database_url, differences) == []


def test_second_start_finds_nothing_to_do_and_never_loads_alembic(database_url: str):
    again = migrate(database_url, "-X", "importtime")
    assert again.returncode == 0
    assert again.stdout == f"database is at {HEAD}\n"
    loaded = {line.rpartition("|")[2].strip() for line in again.stderr.splitlines()}
    assert "migrations" in loaded
    assert [name for name in loaded if name.partition(".")[0] == "alembic"] == []


def test_mistake_in_the_settings_is_told_without_a_trace():
    environ = {**environment("sqlite://"), "MLLM_PORT": "http"}
    ended = subprocess.run(
        [sys.executable, "-m", "migrations"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("settings:\n  MLLM_PORT: ")
    assert "Traceback" not in ended.stderr


def test_database_that_is_away_is_told_in_one_line():
    ended = migrate("postgresql://x@127.0.0.1:9/x")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "127.0.0.1" in ended.stderr
