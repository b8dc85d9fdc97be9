"""What a task is given: its job, the services, and the only ways to report and to write."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from core.clock import now
from core.jobs.claim import Fenced
from core.jobs.entity import Job
from core.jobs.kinds import LogLevel
from core.jobs.logs import Line
from core.services import Services
from infra.db.store import Tx
from jobs.meter import Meter

P = ParamSpec("P")
T = TypeVar("T")

# A task that logs faster than the database takes it loses its oldest lines, and says how many.
MAX_PENDING_LINES = 1000


@dataclass(frozen=True, slots=True)
class Done:
    """What a task leaves: the job's result, and what else belongs into the transaction that
    completes it.
    """

    result: dict[str, Any]
    message: str
    also: Callable[[Tx, Job], object]


class Stop:
    """Set when a run has to end (fenced, cancelled, shutting down), and by itself once the lease
    is over.

    So a thread that wakes up in a process that stood still sees at once what the event loop has
    yet to find out.
    """

    def __init__(self, owned: Callable[[], bool]) -> None:
        self._owned = owned
        self._told = threading.Event()

    def set(self) -> None:
        self._told.set()

    def is_set(self) -> bool:
        return self._told.is_set() or not self._owned()


@dataclass(slots=True, eq=False)
class TaskContext:
    """One run of a job on this worker.

    `owned` says whether this worker still holds the lease. Blocking work watches `stop`.
    """

    job: Job
    services: Services
    owned: Callable[[], bool]
    meter: Meter = field(default_factory=Meter)
    stop: Stop = field(init=False)
    _lines: list[Line] = field(default_factory=list)
    _lines_lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.stop = Stop(self.owned)

    def guard(self) -> None:
        """Precedes every side effect that others can see. Raises Fenced."""
        if self.stop.is_set():
            raise Fenced(self.job.id)

    def log(
        self, message: str, level: LogLevel = LogLevel.INFO, *, stage: str | None = None
    ) -> None:
        """Adds a line to the job's log; safe from any thread."""
        with self._lock:
            if len(self._lines) >= MAX_PENDING_LINES:
                self._lines.pop(0)
                self._lines_lost += 1
            self._lines.append(Line(message, level, stage, now()))

    def take_lines(self) -> list[Line]:
        """The lines that are not written yet; the caller writes them or gives them back."""
        with self._lock:
            lines, self._lines = self._lines, []
            if self._lines_lost:
                lost = Line(
                    f"{self._lines_lost} lines were lost here", LogLevel.WARNING, None, now()
                )
                lines.insert(0, lost)
                self._lines_lost = 0
            return lines

    def give_back(self, lines: list[Line]) -> None:
        with self._lock:
            self._lines = lines + self._lines

    async def blocking(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs blocking work in a thread. When the run is cancelled, the work is told by `stop` and
        waited for.

        So nothing of a run is still going on once its coroutine has ended.
        """
        call = partial(work, *args, **kwargs)
        running = asyncio.get_running_loop().run_in_executor(None, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self.stop.set()
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()  # read, so that nobody calls it never retrieved
            raise
