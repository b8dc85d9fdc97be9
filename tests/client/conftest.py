"""The double, and `mllm` as a user runs it: a process with an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.double import TOKEN, Double

MLLM = Path(sys.executable).parent / "mllm"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server() -> Iterator[Double]:
    with Double() as double:
        yield double


@pytest.fixture
def environment(server: Double, tmp_path: Path) -> dict[str, str]:
    """What `mllm` sees: the double as its server, 80 columns, an empty home."""
    kept = {
        name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ
    }
    return {
        **kept,
        "HOME": str(tmp_path),
        "MLLM_HOME": str(tmp_path / "home"),
        "MLLM_SERVER": server.url,
        "MLLM_TOKEN": TOKEN,
        "COLUMNS": "80",
        "TERM": "xterm",
    }


@pytest.fixture
def mllm(environment: dict[str, str]) -> Run:
    """Runs `mllm` with arguments to its end. `without` removes variables, `env` sets some."""

    def run(
        *arguments: str,
        env: dict[str, str] | None = None,
        without: tuple[str, ...] = (),
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        given = {name: value for name, value in environment.items() if name not in without}
        return subprocess.run(
            [MLLM, *arguments],
            env={**given, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run
