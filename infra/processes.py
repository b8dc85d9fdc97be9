"""What a process asks of its operating system so that it cannot outlive who started it.

Linux tells a process of its parent's death itself; elsewhere a thread waits for the end of a pipe,
which only works for our own Python processes.
"""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Loaded once in the parent: between fork and exec nothing may be loaded.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent_pid: int, by: signal.Signals) -> None:
    """Called in the child: the kernel sends `by` to this process when its parent has died.

    Ends this process at once if the parent is gone already. Follows the *thread* that forked
    (prctl(2)), so children are started from the main thread. Does nothing but that check where
    the system has no such signal; see `die_with_pipe`. Raises OSError.
    """
    if _libc is not None and _libc.prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        os._exit(1)


def die_with_pipe(read_fd: int) -> None:
    """Kills this process when the last writer of the pipe is gone; one daemon thread waits."""

    def wait() -> None:
        os.read(read_fd, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def is_alive(pid: int) -> bool:
    """Whether a process of this id runs, whoever owns it; where /proc tells, a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    # proc(5): the state follows the name, which may itself hold brackets
    return not status.rpartition(b")")[2].lstrip().startswith(b"Z")


def tail(path: Path, *, start_byte: int = 0, max_lines: int = 10) -> list[str]:
    """The last lines a process wrote to its log from `start_byte` on; at most 16 KiB are read."""
    try:
        with path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(start_byte if start_byte <= end else 0, end - (16 << 10)))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-max_lines:]
