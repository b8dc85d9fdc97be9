"""The page is built, the whole server runs against a double of the hub, chromium is there."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.explorer import Explorer, chromium
from tests.stack import ROOT, Stack, hub_process

# tiny-llama takes a few seconds then: enough to see it grow, short enough to wait for.
HUB_BYTES_PER_S = 12_000_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    subprocess.run([ROOT / "scripts" / "graphiql", "--required"], check=True, timeout=300)
    with (
        hub_process("--rate", str(HUB_BYTES_PER_S)) as endpoint,
        Stack(env={"HF_ENDPOINT": endpoint}) as stack,
    ):
        yield stack


@pytest.fixture
def open_explorer(browser: Browser, stack: Stack) -> Iterator[Callable[..., Explorer]]:
    """Opens /graphql in a fresh profile; `scheme` is the system's, light or dark."""
    opened: list[Explorer] = []

    def open_explorer(*, scheme: str = "light") -> Explorer:
        explorer = Explorer(browser, stack.url, scheme=scheme)
        opened.append(explorer)
        explorer.open()
        return explorer

    yield open_explorer
    for explorer in opened:
        explorer.context.close()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures go: the folder in MLLM_TEST_SCREENSHOTS, else one of the test's own."""
    return Path(os.environ.get("MLLM_TEST_SCREENSHOTS", tmp_path))
