"""A site on SQLite with one repository, and its services in this process."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.services import Services, open_services
from tests.fakes.hub import HubDouble
from tests.jobs.site import Site, tiny


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    with HubDouble([tiny()]) as hub:
        yield hub


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path, redis_url: str, hub: HubDouble) -> Site:
    home = tmp_path / "home"
    home.mkdir()
    (home / "mllm.db").write_bytes(sqlite_template.read_bytes())
    return Site(home, database_url=f"sqlite:///{home}/mllm.db", redis_url=redis_url, hub=hub)


@pytest.fixture
async def services(site: Site) -> AsyncIterator[Services]:
    """As in the api process: it asks for jobs and looks at them."""
    async with open_services(site.settings(), follows_events=False) as services:
        yield services
