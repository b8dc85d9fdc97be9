"""What a task has done so far, counted by any number of threads and read by the reporter."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from core.jobs.kinds import JobFileState

# The rate is the mean of the last seconds: steady enough to read, quick enough to see a stall.
RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers at one moment. `files`: path, bytes and state of those that changed since the
    last `drain`.
    """

    stage: str
    bytes_done: int
    bytes_per_second: float | None
    files: tuple[tuple[str, int, JobFileState], ...]


class Meter:
    """Thread-safe counters of one run. Writers hold the lock for a few instructions only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stage = "starting"
        self._bytes = 0
        self._done: dict[str, int] = {}
        self._states: dict[str, JobFileState] = {}
        self._changed: set[str] = set()
        self._samples: deque[tuple[float, int]] = deque()
        self._dirty = False

    def stage(self, name: str) -> None:
        with self._lock:
            self._stage = name
            self._dirty = True

    def add(self, path: str, bytes_delta: int) -> None:
        with self._lock:
            self._bytes += bytes_delta
            self._done[path] = self._done.get(path, 0) + bytes_delta
            self._states.setdefault(path, JobFileState.RUNNING)
            self._changed.add(path)
            self._dirty = True

    def mark(self, path: str, state: JobFileState) -> None:
        with self._lock:
            self._states[path] = state
            self._done.setdefault(path, 0)
            self._changed.add(path)
            self._dirty = True

    def look(self) -> Reading | None:
        """The numbers now, for a tick; None where nothing changed since the last look."""
        with self._lock:
            if not self._dirty:
                return None
            self._dirty = False
            return self._reading(())

    def drain(self) -> Reading | None:
        """The numbers and the changed files, for the database; None where nothing was ever
        counted.
        """
        with self._lock:
            changed = tuple(self._file(path) for path in sorted(self._changed))
            self._changed.clear()
            return self._reading(changed)

    def put_back(self, files: Iterable[tuple[str, int, JobFileState]]) -> None:
        """The write of a drained reading failed: its files count as changed again."""
        with self._lock:
            self._changed.update(path for path, _done, _state in files)

    def _file(self, path: str) -> tuple[str, int, JobFileState]:
        return path, self._done[path], self._states[path]

    def _reading(self, files: tuple[tuple[str, int, JobFileState], ...]) -> Reading:
        return Reading(self._stage, max(0, self._bytes), self._rate(), files)

    def _rate(self) -> float | None:
        """Bytes a second over the window; None until it spans half a second."""
        now = time.monotonic()
        if not self._samples or now - self._samples[-1][0] >= 0.05:
            self._samples.append((now, self._bytes))
        while len(self._samples) > 2 and now - self._samples[1][0] > RATE_WINDOW_S:
            self._samples.popleft()
        began, bytes_then = self._samples[0]
        elapsed = now - began
        return max(0.0, (self._bytes - bytes_then) / elapsed) if elapsed >= 0.5 else None
