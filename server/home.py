"""The state folder of `mllm-server up`: one holder at a time, and what it tells the command line.

Knows the lock and the `endpoint` file; the files of other parts are theirs.
"""

import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from infra.processes import is_alive

# Another program may look at the lock for a moment, to learn whether it is held.
_GLANCE_S = 0.02
# A killed supervisor's Valkey still holds the lock while it writes its file and ends.
_LEFTOVER_S = 5.0


class HomeError(Exception):
    """The folder cannot be used; the text is for people."""


class Home:
    """A locked state folder. `close` gives it back; the lock file itself stays."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self.lock_fd = lock_fd

    @staticmethod
    def locate(environ: Mapping[str, str]) -> Path:
        """Where it is, absolute; the same rule as `infra.settings`, which costs 0.2 s to import."""
        return Path(environ.get("MLLM_HOME") or "~/.local/share/mllm").expanduser().absolute()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Makes the folder (0700) and takes its lock; raises HomeError.

        A lock whose holder lives is refused at once; one whose holder was killed is awaited.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise HomeError(f"MLLM_HOME {path} cannot be used: {e.strerror}") from e
        started = time.monotonic()
        while not _try_lock(fd):
            waited_s = time.monotonic() - started
            holder = _holder(path)
            if waited_s > (_GLANCE_S if holder and is_alive(holder) else _LEFTOVER_S):
                os.close(fd)
                raise HomeError(_refusal(path, holder))
            time.sleep(0.005)  # flock can wait, but not with a deadline
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        home = cls(path, fd)
        home.withdraw()
        return home

    def announce(self, url: str) -> None:
        """Tells the command line where the server answers: `endpoint`, 0600, never half a file."""
        fresh = self.path / "endpoint.new"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(f"{url}\n")
        fresh.replace(self.path / "endpoint")

    def withdraw(self) -> None:
        with suppress(FileNotFoundError):
            (self.path / "endpoint").unlink()

    def close(self) -> None:
        self.withdraw()
        os.close(self.lock_fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> int | None:
    text = _first_line(path / "lock")
    return int(text) if text.isdecimal() else None


def _refusal(path: Path, holder: int | None) -> str:
    who = f"pid {holder}" if holder else "pid unknown"
    if holder and not is_alive(holder):
        return f"a process that pid {holder} left behind still holds {path}/lock"
    where = _first_line(path / "endpoint") or "not ready yet"
    return f"mllm-server up already runs on {path} ({who}, {where})"


def _first_line(path: Path) -> str:
    try:
        return path.read_text().partition("\n")[0]
    except OSError:
        return ""
