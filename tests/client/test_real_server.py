"""The command line and the SDK against the server that `mllm-server up` starts."""

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
