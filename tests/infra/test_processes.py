"""Children end with their parent, by signal or by pipe, and logs are quoted from their end."""

import os
import select
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from infra.processes import is_alive, tail
from tests.program import Program
from tests.stack import ROOT

PROLOGUE = """
    import os, signal
    from infra.processes import die_with_parent, die_with_pipe
    parent = os.getpid()
    read_fd, write_fd = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_fd)
"""


EPILOGUE = """
        signal.pause()
    print("ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def family(child: str) -> Program:
    """A parent that waits for its one child, which runs `child`."""
    parts = [textwrap.dedent(part) for part in (PROLOGUE, child, EPILOGUE)]
    script = f"{parts[0]}{textwrap.indent(parts[1], ' ' * 4)}{parts[2]}"
    return Program([sys.executable, "-c", script], cwd=ROOT)


@pytest.mark.parametrize(
    "binds",
    [
        pytest.param(
            "die_with_parent(parent, signal.SIGKILL)",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="prctl is of Linux"),
        ),
        "die_with_pipe(read_fd)",
    ],
)
def test_child_dies_with_its_parent(binds: str):
    parent = family(f"{binds}\nprint('child', os.getpid(), flush=True)")
    try:
        pid = int(parent.expect(r"^child (\d+)$")[1])
        fd = os.pidfd_open(pid)
        try:
            assert is_alive(pid)
            parent.signal(signal.SIGKILL)
            ended, _, _ = select.select([fd], [], [], 1)
            assert ended
            assert not is_alive(pid)
        finally:
            os.close(fd)
    finally:
        parent.close()


def test_child_whose_parent_is_gone_already_ends_at_once():
    program = family("die_with_parent(parent + 1, signal.SIGKILL)")
    try:
        program.expect("^ended with 1$")
    finally:
        program.close()


def test_tail_gives_the_last_lines_since_a_start(tmp_path: Path):
    log = tmp_path / "part.log"
    assert tail(log) == []
    log.write_text("old\n")
    start = log.stat().st_size
    with log.open("a") as file:
        file.writelines(f"line {n}\n" for n in range(20))
    assert tail(log, start_byte=start, max_lines=2) == ["line 18", "line 19"]
    assert tail(log, start_byte=start, max_lines=30)[0] == "line 0"
    log.write_text("c\n")
    assert tail(log, start_byte=start) == ["c"]
