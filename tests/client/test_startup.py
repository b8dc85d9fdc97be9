"""What is imported: the reason why `mllm` answers fast."""

import subprocess
import sys

import pytest

from tests.client.conftest import Run
from tests.client.double import Double

PROBE = """
import sys
from mllm_client.cli.main import main
sys.argv = ["mllm", *sys.argv[1:]]
code = main()
print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}))
print("own", *sorted(name for name in sys.modules if name.startswith("mllm_client")))
sys.exit(code)
"""


def loaded(environment: dict[str, str], *arguments: str) -> tuple[set[str], set[str]]:
    """Top-level modules after a command, and those of mllm_client in full."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *_, tops, own = result.stdout.splitlines()
    return set(tops.split()[1:]), set(own.split()[1:])


def test_jobs_list_imports_no_graphql_library(environment: dict[str, str], server: Double) -> None:
    tops, own = loaded(environment, "jobs", "list")

    assert [sent.operation for sent in server.sent] == ["Jobs"]
    assert tops & {"gql", "graphql", "aiohttp", "yaml", "asyncio"} == set()
    assert "rich" in tops
    assert own & {"mllm_client._generated.fragments", "mllm_client._generated.client"} == set()


def test_json_output_needs_no_rich(environment: dict[str, str]) -> None:
    tops, _ = loaded(environment, "jobs", "list", "-o", "json")

    assert "rich" not in tops


def test_version_imports_nothing_of_the_command_line(environment: dict[str, str]) -> None:
    tops, own = loaded(environment, "--version")

    assert tops & {"typer", "rich", "http", "json"} == set()
    assert own == {
        "mllm_client",
        "mllm_client._lazy",
        "mllm_client._version",
        "mllm_client.cli",
        "mllm_client.cli.main",
    }


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_lists_the_verbs(mllm: Run, arguments: tuple[str, ...]) -> None:
    result = mllm(*arguments)

    verbs = [line.split()[0] for line in result.stdout.partition("Commands:")[2].splitlines()[1:]]
    assert result.returncode == 0
    assert verbs == ["weights", "jobs", "events", "status", "version", "api", "completion"]
    assert "..." not in result.stdout.partition("Commands:")[2]


def test_version_wherever_it_stands(mllm: Run) -> None:
    assert mllm("--version").stdout == "mllm 0.1.0\n"
    assert mllm("--no-color", "--version").stdout == "mllm 0.1.0\n"
