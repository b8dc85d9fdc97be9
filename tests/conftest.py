"""Databases, Valkey, and the rule that no test talks to anybody but this machine."""

import ipaddress
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from infra.db.store import Store
from infra.settings import Database
from infra.valkey import Valkey
from migrations.upgrade import upgrade
from tests.postgres import Cluster

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
_outside: list[str] = []


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and not _is_here(arguments[1]):
        _outside.append(repr(arguments[1]))
        raise PermissionError(f"a test connects to {arguments[1]!r}, which is not this machine")


def _is_here(address: Any) -> bool:
    if isinstance(address, str | bytes):  # a unix socket
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] in ("", "localhost")


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def nobody_else_is_called() -> Iterator[None]:
    """Fails a test of whose own process a socket was to be connected to another machine."""
    _outside.clear()
    yield
    assert _outside == [], "connections that are not to this machine"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of its own for each test, of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "mllm.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    cluster = request.getfixturevalue("postgres")
    url = cluster.create()
    yield url
    cluster.drop(url)


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    cluster = request.getfixturevalue("postgres")
    url = cluster.create(migrated=False)
    yield url
    cluster.drop(url)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(Database(url=database_url))
    yield store
    await store.close()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for all tests that do not stop it."""
    with Valkey.start(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The address of an empty server."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url
