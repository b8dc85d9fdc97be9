"""The command line and the SDK against the server that `mllm-server up` starts."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mllm_client import Client, Unauthenticated, UserErrors
from mllm_client.config import resolve

from tests.client.conftest import MLLM
from tests.program import Program
from tests.stack import Stack

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
REPO = "acme/tiny-llama"
SLOW_BYTES_PER_S = 12_000_000  # about five seconds for the demo repository


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The whole server, and a hub that is slow enough to be interrupted."""
    hub = Program(
        [sys.executable, "-m", "tests.fakes.hub", "--rate", str(SLOW_BYTES_PER_S)], cwd=ROOT
    )
    try:
        url = hub.expect(r"^ready (\S+)$")[1]
        with Stack(env={"HF_ENDPOINT": url}) as stack:
            yield stack
    finally:
        hub.close()


def test_watch_outlives_the_api_process(stack: Stack) -> None:
    watching = Program([MLLM, "weights", "install", REPO, "--watch"], env=stack.env)
    try:
        watching.expect(r"downloading +\d+%")
        os.kill(stack.pids()["api"], signal.SIGKILL)
        watching.expect("trying again in")
        code = watching.wait(timeout_s=60)
    finally:
        watching.close()

    assert code == 0, watching.output
    assert "state       COMPLETED" in watching.lines
    listed = stack.cli("weights", "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["PATH", REPO]


async def test_sdk_finds_the_local_server(stack: Stack) -> None:
    server = resolve(environ=stack.env)

    async with Client(server.url, server.token) as client:
        system = await client.system()
        with pytest.raises(UserErrors) as caught:
            await client.weights_install("acme/nothing")

    assert server.url == stack.url
    assert {part.state.value for part in system.subsystems} == {"PASS"}
    assert [error.code for error in caught.value.errors] == ["NOT_FOUND"]


async def test_wrong_token_is_refused(stack: Stack) -> None:
    async with Client(stack.url, "wrong") as client:
        with pytest.raises(Unauthenticated):
            await client.system()


def test_job_is_paused_resumed_cancelled_retried_and_purged(stack: Stack) -> None:
    """The whole life of a job from the command line, watched by one who stays."""
    job = installed(stack, "paused")
    watching = Program([MLLM, "jobs", "watch", job], env=stack.env)
    try:
        watching.expect(r"downloading +\d+%")
        assert stack.cli("jobs", "pause", job).stdout == f"{job}  PAUSED\n"
        watching.expect(f"paused; it goes on after `mllm jobs resume {job}`")
        assert stack.cli("jobs", "resume", job).returncode == 0
        watching.expect(r"downloading +\d+%")
        assert stack.cli("jobs", "cancel", job).stdout == f"{job}  CANCELLED\n"
        assert watching.wait() == 1
    finally:
        watching.close()

    retried = stack.cli("jobs", "retry", job, "--watch", "-o", "json")
    retry = json.loads(retried.stdout)["job"]
    again = stack.cli("jobs", "retry", job)
    got = stack.cli("jobs", "get", job)
    purged = stack.cli("jobs", "purge", "--older-than", "0s", "--state", "cancelled", "--yes")

    assert (retried.returncode, retry["state"]) == (0, "COMPLETED"), retried.stderr
    assert (again.returncode, again.stdout) == (1, "")
    assert f"retried by  {retry['id']}  COMPLETED" in got.stdout.splitlines()
    assert purged.stdout == "1 job removed\n"
    assert stack.cli("jobs", "get", job).returncode == 1
    assert "retry of" not in stack.cli("jobs", "get", retry["id"]).stdout


def test_events_on_a_terminal_fit_it(stack: Stack) -> None:
    """Each type of event that an install writes."""
    job = installed(stack, "told")
    stack.cli("jobs", "watch", job)
    shown = Program(
        [MLLM, "events", "--since", "10m"], env={**stack.env, "COLUMNS": "80"}, terminal=True
    )
    try:
        assert shown.wait() == 0
    finally:
        shown.close()

    types = {line.split()[1] for line in shown.lines}
    assert types >= {"job.pending", "job.running", "job.progress", "job.log", "job.completed"}
    assert [line for line in shown.lines if len(line) > 80] == []
    [last] = [line for line in shown.lines if job in line and "job.completed" in line]
    assert last.endswith(f"{job}  60.2 MiB")


def installed(stack: Stack, target: str) -> str:
    """The id of an install that has just begun."""
    begun = stack.cli("weights", "install", REPO, "--target", target, "-o", "json")
    return str(json.loads(begun.stdout)["job"]["id"])
