"""Followers of a server that is killed or restarted see each event and each line once, in order."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import MLLM
from tests.program import Program
from tests.stack import Stack, hub_process

pytestmark = pytest.mark.e2e
REPO = "acme/tiny-llama"
SLOW_BYTES_PER_S = 12_000_000  # about five seconds for the demo repository
EVENTS = """query Q($after: ID) { events(since: "2000-01-01T00:00:00Z", after: $after, first: 100) {
    nodes { __typename id type at subjectId detail } pageInfo { hasNextPage endCursor } } }"""
LOGS = "query Q($id: ID!) { job(id: $id) { logs { nodes { cursor at level stage message } } } }"


class Followers:
    """`weights install --watch`, the log of its job, and two feeds: one that shows what happens
    from when it stands, and one that begins with what has happened.
    """

    def __init__(self, stack: Stack, opened: ExitStack) -> None:
        self._stack, self._opened = stack, opened
        self._live = self._start("events", "--follow", "-o", "json")
        self.watch = self._start("weights", "install", REPO, "--watch")
        self.job = self.watch.expect(r"^(job_\w+)  file:")[1]
        self._log = self._start("jobs", "logs", self.job, "--follow", "-o", "json")
        self._since = self._start("events", "--since", "1h", "--follow", "-o", "json")
        self._log.expect('"message"')
        for feed in (self._live, self._since):
            feed.expect("job.progress")

    def _start(self, *arguments: str) -> Program:
        program = Program([MLLM, *arguments], env=self._stack.env)
        self._opened.callback(program.close)
        return program

    def await_loss(self) -> None:
        """Returns when each has noticed."""
        for follower in (self._live, self.watch, self._log, self._since):
            follower.expect("trying again in")

    def end(self) -> None:
        """Waits for the end of the job; the feeds are left when they have shown it."""
        assert self.watch.wait(timeout_s=90) == 0, self.watch.output
        assert self._log.wait() == 0, self._log.output
        for feed in (self._live, self._since):
            feed.expect("job.completed")
            feed.signal(signal.SIGINT)
            assert feed.wait() == 130, feed.output

    def check(self, stack: Stack) -> None:
        """What was shown is what the server holds, no more and no less."""
        events = all_events(stack)
        assert "state       COMPLETED" in self.watch.lines
        live = shown(self._live)
        assert live == events[-len(live) :]
        assert shown(self._since) == events
        lines = stack.graphql(LOGS, {"id": self.job})["data"]["job"]["logs"]["nodes"]
        assert shown(self._log) == lines


@contextmanager
def following(stack: Stack) -> Iterator[Followers]:
    with ExitStack() as opened:
        yield Followers(stack, opened)


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """A hub that is slow enough for the server to be interrupted."""
    with hub_process("--rate", str(SLOW_BYTES_PER_S)) as url:
        yield url


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_restart_of_the_api_is_no_gap(hub: str, how: signal.Signals) -> None:
    with Stack(env={"HF_ENDPOINT": hub}) as stack, following(stack) as followers:
        os.kill(stack.pids()["api"], how)
        followers.await_loss()
        followers.end()

        followers.check(stack)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_restart_of_everything_is_no_gap(hub: str, tmp_path: Path, how: signal.Signals) -> None:
    home, env = tmp_path / "home", {"HF_ENDPOINT": hub, "MLLM_PORT": str(free_port())}
    first = Stack(home=home, env=env)
    try:
        with following(first) as followers:
            first.program.signal(how)
            first.program.wait()
            followers.await_loss()
            with Stack(home=home, env=env) as second:
                followers.end()

                followers.check(second)
    finally:
        first.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def all_events(stack: Stack) -> list[Any]:
    events: list[Any] = []
    after = None
    while True:
        page = stack.graphql(EVENTS, {"after": after})["data"]["events"]
        events += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return events


def shown(program: Program) -> list[Any]:
    """The JSON lines of a program; what it says beside them is left out."""
    return [json.loads(line) for line in program.lines if line.startswith("{")]
