"""Signals of a supervisor as something its one loop can wait for, together with sockets.

Nothing happens inside a handler: a fork in between must not run half of a stop.
"""

import os
import select
import signal
from types import FrameType
from typing import Self

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """While entered, stop signals are counted and the end of a child wakes `wait`."""

    def __init__(self) -> None:
        self.stop_count = 0
        self._read_fd, self._write_fd = os.pipe()

    @property
    def stopping(self) -> bool:
        return self.stop_count > 0

    @property
    def fds(self) -> tuple[int, int]:
        """What a forked child closes."""
        return self._read_fd, self._write_fd

    def wait(self, timeout_s: float, *read_fds: int) -> None:
        """Returns at a signal, at input on one of `read_fds`, or after `timeout_s`."""
        readable, _, _ = select.select([self._read_fd, *read_fds], [], [], max(timeout_s, 0))
        if self._read_fd in readable:
            os.read(self._read_fd, 4096)

    def __enter__(self) -> Self:
        os.set_blocking(self._write_fd, False)
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in _STOP:
            # nohup: whoever started it wants it to outlive the terminal
            if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
                signal.signal(number, self._count)
        signal.signal(signal.SIGCHLD, _nothing)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_count += 1


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A signal without a handler would not write to the wake-up descriptor."""
