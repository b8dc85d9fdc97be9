"""A hub with one small public repository."""

from collections.abc import Iterator

import pytest

from tests.fakes.hub import HubDouble
from tests.infra.hub.repository import tiny


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    with HubDouble() as double:
        yield double


@pytest.fixture
def commit(hub) -> str:
    """Of the main branch of the repository."""
    return hub.add(tiny())
