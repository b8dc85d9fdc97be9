"""Verbs that are programs on PATH."""

from pathlib import Path

import pytest

from tests.client.conftest import Run

SCRIPT = """#!/bin/sh
echo "arguments: $*"
echo "server: $MLLM_SERVER token: ${MLLM_TOKEN:-none}"
exit 7
"""


@pytest.fixture
def path(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    plugin = tmp_path / "bin" / "mllm-greet"
    plugin.parent.mkdir()
    plugin.write_text(SCRIPT)
    plugin.chmod(0o755)
    return {"PATH": f"{plugin.parent}:{environment['PATH']}"}


def test_unknown_verb_is_handed_over_whole(mllm: Run, path: dict[str, str]) -> None:
    result = mllm("greet", "up", "-o", "x", "--help", env=path)

    assert result.returncode == 7
    assert result.stdout.splitlines()[0] == "arguments: up -o x --help"


def test_plugin_asks_the_server_that_was_named(mllm: Run, path: dict[str, str]) -> None:
    result = mllm("--server", "http://other", "greet", env=path)

    assert result.stdout.splitlines()[1] == "server: http://other token: none"


def test_plugin_cannot_stand_for_a_known_verb(mllm: Run, path: dict[str, str]) -> None:
    directory = Path(path["PATH"].partition(":")[0])
    (directory / "mllm-greet").rename(directory / "mllm-version")

    assert mllm("version", env=path).stdout == "mllm 0.1.0\n"
