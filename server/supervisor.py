"""Keeps processes running: a dead one starts again after a back-off, and one line says so.

Knows nothing of what the processes do; one loop, no threads.
"""

import signal
import time
from collections.abc import Callable
from typing import Protocol

from server.children import LogFile
from server.console import Console
from server.signals import Signals

_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 30.0
# A process that lived this long was well; its next death starts the back-off afresh.
_HEALTHY_S = 10.0
_STOP_TIMEOUT_S = 10.0


class Process(Protocol):
    """A running process, forked or executed."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""

    def send_signal(self, number: signal.Signals) -> None: ...


class Part:
    """One process with a name, started by `start` whenever it is due."""

    def __init__(self, name: str, start: Callable[[], Process], log: LogFile) -> None:
        self.name = name
        self.log = log
        self.process: Process | None = None
        self.due_at = 0.0
        self._start = start
        self._started_at = 0.0
        self._backoff_s = _FIRST_BACKOFF_S

    def start(self) -> Process:
        self._started_at = time.monotonic()
        self.process = self._start()
        return self.process

    def postpone(self) -> float:
        """Plans the next start after a death; returns the seconds until then."""
        now = time.monotonic()
        if now - self._started_at >= _HEALTHY_S:
            self._backoff_s = _FIRST_BACKOFF_S
        delay_s = self._backoff_s
        self._backoff_s = min(2 * delay_s, _MAX_BACKOFF_S)
        self.process, self.due_at = None, now + delay_s
        return delay_s


class Supervisor:
    """The parts in the order of their start; the first stops last."""

    def __init__(self, console: Console, signals: Signals) -> None:
        self._console = console
        self._signals = signals
        self._parts: list[Part] = []

    def add(self, part: Part) -> None:
        """Starts a part and keeps it running from now on; what its first start raises goes on."""
        part.start()
        self._parts.append(part)

    def tick(self) -> list[Part]:
        """Notices deaths and starts what is due; returns what it started."""
        started = []
        for part in self._parts:
            if part.process is not None and (status := part.process.poll()) is not None:
                self._bury(part, status)
            if part.process is None and time.monotonic() >= part.due_at:
                try:
                    process = part.start()
                except Exception as e:  # noqa: BLE001 - whatever it is, the others must live on
                    self._postpone(part, f"cannot start: {e}")
                    continue
                self._console.part(part.name, "started", f"pid {process.pid}")
                started.append(part)
            part.log.trim()
        return started

    def next_due_s(self) -> float | None:
        """Seconds until `tick` has something to start; None: nothing waits."""
        due = [part.due_at for part in self._parts if part.process is None]
        return max(min(due) - time.monotonic(), 0) if due else None

    def stop(self) -> bool:
        """Ends all, the first part last; True if none had to be killed.

        A further stop signal meanwhile kills at once.
        """
        clean = self._end(self._parts[1:])
        return self._end(self._parts[:1]) and clean

    def _end(self, parts: list[Part]) -> bool:
        running = [part.process for part in parts if part.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while any(process.poll() is None for process in running):
            if time.monotonic() >= deadline or self._signals.hurrying:
                break
            self._signals.wait(deadline - time.monotonic())
        left = [process for process in running if process.poll() is None]
        for process in left:
            process.send_signal(signal.SIGKILL)
        while any(process.poll() is None for process in left):
            self._signals.wait(1)
        return not left

    def _bury(self, part: Part, status: int) -> None:
        self._postpone(part, _cause(status))
        if status > 0:
            self._console.lines(part.log.last_words())

    def _postpone(self, part: Part, cause: str) -> None:
        delay_s = part.postpone()
        self._console.part(part.name, "died", f"{cause}; starts again in {delay_s:.1f} s")


def _cause(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
