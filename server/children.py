"""Children of `mllm-server up`: forked from a parent that has imported what they need.

A child has its own process group (Ctrl-C reaches the parent only), its own log, no stdin, default
signals, and ends with its parent.
"""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from infra.processes import die_with_parent, die_with_pipe, tail

_LOG_MAX_BYTES = 10 << 20
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class LogFile:
    """A child's log: appended to, cut at 10 MiB, with one predecessor (`.1`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.start_byte = 0
        self.trim()

    def open(self) -> int:
        """A descriptor for one run of the child, whose lines `last_words` then gives."""
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.start_byte = os.fstat(fd).st_size
        return fd

    def last_words(self) -> list[str]:
        return tail(self.path, start_byte=self.start_byte)

    def trim(self) -> None:
        """Copies a log that has grown too big aside and empties it under its writer."""
        if not self.path.exists() or self.path.stat().st_size <= _LOG_MAX_BYTES:
            return
        old = self.path.with_suffix(".log.1")
        try:
            old.write_bytes(self.path.read_bytes())
        except OSError:  # no room for a second one: it grows no further either
            old.unlink(missing_ok=True)
            return
        old.chmod(0o600)
        # Truncated, not renamed: the child keeps its descriptor, and appends from the new end.
        os.truncate(self.path, 0)
        self.start_byte = 0


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What all children share: variables besides the parent's own, descriptors they must not keep.

    `pipe`: its write end lives only in the parent, so that its end tells of the parent's death.
    """

    environ: Mapping[str, str]
    closed_fds: Sequence[int] = ()
    pipe: tuple[int, int] = field(default_factory=os.pipe)


class Child:
    """One forked process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def send_signal(self, number: signal.Signals) -> None:
        """Signals the child; nothing once its end has been seen, for its id may be another's."""
        if self.poll() is None:
            os.kill(self.pid, number)


def fork(body: Callable[[], int], *, log: LogFile, inherits: Inheritance) -> Child:
    """Starts a child that runs `body` and exits with its result. Call from the main thread."""
    parent = os.getpid()
    log_fd = log.open()
    sys.stdout.flush()
    sys.stderr.flush()
    # Blocked until the child has its own handlers: a SIGTERM in between would be lost on ours.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    try:
        pid = os.fork()
        if pid == 0:
            _become(body, parent, log_fd, inherits)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(log_fd)
    return Child(pid)


def _become(body: Callable[[], int], parent: int, log_fd: int, inherits: Inheritance) -> NoReturn:
    status = 1
    try:
        _separate(parent, log_fd, inherits)
        status = body()
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:  # noqa: BLE001 - the edge of a process: nothing above may run twice
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _separate(parent: int, log_fd: int, inherits: Inheritance) -> None:
    os.setpgid(0, 0)
    die_with_parent(parent, signal.SIGKILL)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log_fd, 1), (log_fd, 2)):
        os.dup2(source, target)
    for fd in (null, log_fd, inherits.pipe[1], *inherits.closed_fds):
        os.close(fd)
    signal.set_wakeup_fd(-1)
    for number in _FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if sys.platform != "linux":
        die_with_pipe(inherits.pipe[0])
    os.environ.update(inherits.environ)
    gc.enable()
