"""Signals of a supervisor as something its one loop can wait for, together with sockets.

Nothing happens inside a handler: a fork in between must not run half of a stop.
"""

import os
import select
import signal
import time
from types import FrameType
from typing import Self

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# timeout(1) and terminals may deliver one wish twice; only a later signal is a second one.
_SECOND_AFTER_S = 0.5


class Signals:
    """While entered, stop signals are noted and the end of a child wakes `wait`.

    `stopping`: one came; `hurrying`: another one came later.
    """

    def __init__(self) -> None:
        self.hurrying = False
        self._stop_at: float | None = None
        self._read_fd, self._write_fd = os.pipe()

    @property
    def stopping(self) -> bool:
        return self._stop_at is not None

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
                signal.signal(number, self._note)
        signal.signal(signal.SIGCHLD, _nothing)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._stop_at is None:
            self._stop_at = now
        elif now - self._stop_at >= _SECOND_AFTER_S:
            self.hurrying = True


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A signal without a handler would not write to the wake-up descriptor."""
