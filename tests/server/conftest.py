"""An api of its own for each test, on either database, and clients of it."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog

from infra.valkey import Valkey
from tests.api import Api
from tests.graphql_client import Client
from tests.server.work import Work


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> Iterator[None]:
    """What structlog does by itself renders each trace for seconds."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def shared_api(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, valkey: Valkey
) -> Iterator[Api]:
    """One api on SQLite for a whole module, for tests that leave nothing in its database."""
    home = tmp_path_factory.mktemp("home")
    path = home / "mllm.db"
    shutil.copyfile(sqlite_template, path)
    with Api(home, database_url=f"sqlite:///{path}", redis_url=valkey.url) as api:
        yield api


@pytest.fixture
def start(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Callable[..., Api]]:
    """Starts an api with further variables on the empty database of the test."""
    with ExitStack() as stack:

        def start(**env: str) -> Api:
            home = tmp_path / "home"
            return stack.enter_context(
                Api(home, database_url=database_url, redis_url=redis_url, env=env)
            )

        yield start


@pytest.fixture
def api(start: Callable[..., Api]) -> Api:
    return start()


@pytest.fixture
async def admin(api: Api) -> AsyncIterator[Client]:
    async with Client(api.url, api.admin) as client:
        yield client


@pytest.fixture
async def anyone(api: Api) -> AsyncIterator[Client]:
    """Sends no token."""
    async with Client(api.url) as client:
        yield client


@pytest.fixture
def work(api: Api) -> Work:
    return Work(api)
