"""`mllm-server` itself: what it says without starting anything."""

import subprocess
import tomllib

import pytest

from infra.version import VERSION
from tests.stack import BIN, ROOT


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "mllm-server", *words], capture_output=True, text=True, timeout=20, check=False
    )


def test_version_is_that_of_both_projects():
    assert run("--version").stdout == f"mllm-server {VERSION}\n"
    for project in ("pyproject.toml", "client/pyproject.toml"):
        assert tomllib.loads((ROOT / project).read_text())["project"]["version"] == VERSION


def test_help_names_every_process():
    done = run("--help")
    assert done.returncode == 0
    words = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert words == ["up", "api", "worker", "sync", "migrate"]


@pytest.mark.parametrize("words", [[], ["serve"], ["api", "worker"]])
def test_unknown_process_is_refused_with_the_usage(words: list[str]):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: mllm-server <process>" in done.stderr
