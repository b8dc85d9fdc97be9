"""The supervisor with children that end as told: back-off, last words, force, logs that stay small.

Each case is a program of its own: children are forked, and a test run is no parent for that.
"""

import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

from server.children import LogFile
from tests.program import Program
from tests.stack import ROOT

PROLOGUE = """
    import os, signal, sys
    from pathlib import Path
    from server.children import Inheritance, LogFile, fork
    from server.console import Console
    from server.signals import Signals
    from server.supervisor import Part, Supervisor

    log = LogFile(Path(sys.argv[1]))
    inherits = Inheritance({"MLLM_TEST_NAME": "child"}, (), os.pipe())

    def run(body, turns):
        with Signals() as signals:
            supervisor = Supervisor(Console(), signals)
            supervisor.add(Part("part", lambda: fork(body, log=log, inherits=inherits), log))
            while turns > 0:
                turns -= len(supervisor.tick())
                signals.wait(1 if (due := supervisor.next_due_s()) is None else due)
            print("clean", supervisor.stop(), flush=True)
"""


def supervise(tmp_path: Path, body: str) -> Program:
    script = textwrap.dedent(PROLOGUE) + textwrap.dedent(body)
    return Program([sys.executable, "-c", script, tmp_path / "part.log"], cwd=ROOT)


def test_crashes_are_quoted_and_started_again_ever_later(tmp_path: Path):
    program = supervise(
        tmp_path,
        """
        def body():
            print("no such table", os.environ["MLLM_TEST_NAME"])
            return 3
        run(body, 3)
        """,
    )
    try:
        for delay in ("0.1", "0.2", "0.4"):
            program.expect(rf"^part +died .* ended with status 3; starts again in {delay} s$")
            program.expect(r"^ +\| no such table child$")
            program.expect("^part +started ")
        assert program.wait() == 0
    finally:
        program.close()


def test_part_that_ignores_its_stop_is_killed_at_the_second_signal(tmp_path: Path):
    program = supervise(
        tmp_path,
        """
        def body():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(told, b"!")
            while True:
                signal.pause()
        heard, told = os.pipe()
        with Signals() as signals:
            supervisor = Supervisor(Console(), signals)
            supervisor.add(Part("part", lambda: fork(body, log=log, inherits=inherits), log))
            os.read(heard, 1)
            print("up", flush=True)
            while not signals.stopping:
                signals.wait(30)
            print("stopping", flush=True)
            print("clean", supervisor.stop(), flush=True)
        """,
    )
    try:
        program.expect("^up$")
        program.signal(signal.SIGINT)
        program.expect("^stopping$")
        started = time.monotonic()
        while program.running:
            program.signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                program.wait(timeout_s=0.1)
        assert 0.5 <= time.monotonic() - started < 5
        program.expect("^clean False$")
    finally:
        program.close()


def test_child_has_its_own_group_default_signals_and_no_input(tmp_path: Path):
    program = supervise(
        tmp_path,
        """
        def body():
            numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
            print(os.getpgid(0) == os.getpid(), [signal.getsignal(n).name for n in numbers],
                  signal.pthread_sigmask(signal.SIG_BLOCK, ()), sys.stdin.read() == "")
            return 1
        run(body, 1)
        """,
    )
    try:
        program.expect(r"\| True \['SIG_DFL', 'SIG_DFL', 'SIG_DFL'\] set\(\) True$")
    finally:
        program.close()


def test_log_over_its_limit_is_put_aside_under_its_writer(tmp_path: Path):
    log = LogFile(tmp_path / "logs" / "part.log")
    with open(log.open(), "wb", buffering=0) as writer:  # noqa: PTH123 - a descriptor, not a path
        writer.write(b"x" * (10 << 20))
        log.trim()
        assert log.path.stat().st_size == 10 << 20
        writer.write(b"y\n")
        log.trim()
        writer.write(b"last words\n")
    assert log.path.read_bytes() == b"last words\n"
    assert (tmp_path / "logs" / "part.log.1").stat().st_size == (10 << 20) + 2
    assert log.last_words() == ["last words"]
