"""`mllm-server up`: starts, keeps its parts running, stops, and never leaves a process behind."""

import os
import select
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.valkey import Valkey
from tests.program import Program
from tests.stack import BIN, ROOT, Stack, environment, leftovers

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def await_ready(stack: Stack) -> None:
    deadline = time.monotonic() + 20
    while (answer := stack.get("/readyz"))[0] != 200:
        assert time.monotonic() < deadline, answer
        select.select([], [], [], 0.05)


def await_end(pids: list[int], *, timeout_s: float) -> None:
    """Waits for processes that are not our children."""
    deadline = time.monotonic() + timeout_s
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ended, _, _ = select.select([fd], [], [], max(deadline - time.monotonic(), 0))
            assert ended, f"{pid} {title(pid)} still runs after {timeout_s} s"
        finally:
            os.close(fd)


def test_ready_means_every_part_answers(stack: Stack):
    assert stack.get("/readyz")[0] == 200
    titles = {name: title(pid) for name, pid in stack.pids().items() if name != "valkey"}
    assert titles == {name: f"mllm-server {name}" for name in ("api", "worker", "sync")}
    assert title(stack.pid) == "mllm-server up"


def test_state_is_private_and_names_the_address(stack: Stack):
    endpoint = stack.home / "endpoint"
    assert endpoint.read_text() == f"{stack.url}\n"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (stack.home, endpoint)}
    assert modes == {"home": 0o700, "endpoint": 0o600}
    logs = list((stack.home / "logs").iterdir())
    assert {log.name for log in logs} >= {"api.log", "worker.log", "sync.log", "valkey.log"}


def test_second_instance_is_refused_and_told_of_the_first(stack: Stack):
    second = Program([BIN / "mllm-server", "up"], env=stack.env, cwd=ROOT)
    try:
        assert second.wait() == 1
        assert second.lines == [
            f"mllm-server up already runs on {stack.home} (pid {stack.pid}, {stack.url})"
        ]
    finally:
        second.close()
    assert stack.get("/readyz")[0] == 200


@pytest.mark.parametrize("name", ["api", "worker", "sync", "valkey"])
def test_killed_part_starts_again(stack: Stack, name: str):
    before = stack.pids()
    os.kill(before[name], signal.SIGKILL)
    stack.program.expect(rf"^{name} +died .* killed by SIGKILL; starts again in \d+\.\d s$")
    stack.program.expect(rf"^{name} +started ")
    await_ready(stack)
    after = stack.pids()
    assert after.pop(name) != before.pop(name)
    assert after == before


def test_restart_of_the_api_refuses_no_connection(stack: Stack):
    os.kill(stack.pids()["api"], signal.SIGKILL)
    assert stack.get("/healthz")[0] == 200
    stack.program.expect("^api +ready ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stop_signal_ends_everything_with_status_0(number: signal.Signals):
    with Stack() as stack:
        stack.stop(number)
        assert stack.program.lines[-1].startswith("mllm      stopped ")
        assert not (stack.home / "valkey" / "valkey.sock").exists()


def test_ctrl_c_on_a_terminal_reaches_the_supervisor_alone():
    with Stack(terminal=True) as stack:
        stack.program.type("\x03")
        assert stack.program.wait() == 0
        assert leftovers(stack.home) == []
        # A part that had got the signal as well would have been seen to die
        assert not [line for line in stack.program.lines if "died" in line]


def test_reader_of_its_output_may_go_away(tmp_path: Path):
    env = environment(tmp_path / "home")
    command = [BIN / "mllm-server", "up"]
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"mllm ")
        process.stdout.close()
        deadline = time.monotonic() + 30
        while not (tmp_path / "home" / "endpoint").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            select.select([], [], [], 0.02)
        process.terminate()
        assert process.wait(20) == 0
    assert leftovers(tmp_path / "home") == []


def test_stop_signal_during_the_start_ends_it(tmp_path: Path):
    with Stack(home=tmp_path / "home", ready=False) as stack:
        stack.program.expect("^mllm ")
        stack.stop()


def test_killed_supervisor_leaves_nothing_and_the_next_start_works(tmp_path: Path):
    home = tmp_path / "home"
    with Stack(home=home) as first:
        pids = list(first.pids().values())
        assert len(pids) == 4
        first.program.signal(signal.SIGKILL)
        first.program.wait()
        await_end(pids, timeout_s=1)
        assert leftovers(home) == []
        assert (home / "endpoint").exists()
    with Stack(home=home) as second:
        assert second.get("/readyz")[0] == 200


def test_start_right_after_a_kill_waits_for_the_lock(tmp_path: Path):
    with Stack(home=tmp_path / "home") as first:
        first.program.signal(signal.SIGKILL)
        with Stack(home=first.home) as second:
            assert second.get("/readyz")[0] == 200


def test_taken_port_is_told_before_anything_starts(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = environment(tmp_path / "home", {"MLLM_PORT": str(port)})
        program = Program([BIN / "mllm-server", "up"], env=env, cwd=ROOT)
        try:
            assert program.wait() == 1
        finally:
            program.close()
    assert program.lines == [
        f"port {port} of 127.0.0.1 is taken by another process: set MLLM_PORT to a free one"
    ]
    assert not (tmp_path / "home" / "valkey").exists()


def test_home_that_is_no_folder_is_told(tmp_path: Path):
    home = tmp_path / "home"
    home.touch()
    program = Program([BIN / "mllm-server", "up"], env=environment(home), cwd=ROOT)
    try:
        assert program.wait() == 1
    finally:
        program.close()
    assert program.lines == [f"MLLM_HOME {home} cannot be used: File exists"]


def test_settings_mistake_is_told_without_a_trace(tmp_path: Path):
    env = environment(tmp_path / "home", {"MLLM_PORT": "http"})
    program = Program([BIN / "mllm-server", "up"], env=env, cwd=ROOT)
    try:
        assert program.wait() == 2
    finally:
        program.close()
    assert program.lines[0] == "settings:"
    assert program.lines[1].startswith("  MLLM_PORT: ")


def test_failed_migration_ends_the_start_with_its_words(tmp_path: Path):
    home = tmp_path / "home"
    env = environment(home, {"MLLM_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"})
    program = Program([BIN / "mllm-server", "up"], env=env, cwd=ROOT)
    try:
        assert program.wait() == 1
    finally:
        program.close()
    (at,) = [n for n, line in enumerate(program.lines) if line.startswith("the migration failed")]
    assert "Connect call failed" in "".join(program.lines[at + 1 :])
    assert leftovers(home) == []


def test_given_redis_is_used_instead_of_an_own_one(tmp_path: Path):
    home = tmp_path / "home"
    with (
        Valkey.start(tmp_path / "elsewhere") as valkey,
        Stack(home=home, env={"MLLM_REDIS_URL": valkey.url}) as stack,
    ):
        assert set(stack.pids()) == {"api", "worker", "sync"}
        assert not (home / "valkey").exists()


def test_home_with_a_long_path_keeps_its_socket_elsewhere(tmp_path: Path):
    home = tmp_path / ("long-" * 20) / "home with spaces"
    with Stack(home=home) as stack:
        stack.stop()
        assert not (home / "valkey" / "valkey.sock").exists()
