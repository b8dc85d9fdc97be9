"""An observer that keeps what it hears, and a transfer in a thread that ends with the test."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infra.hub.transfer.engine import transfer
from infra.hub.transfer.plan import TransferPlan

DEADLINE_S = 10


class Retry(NamedTuple):
    path: str
    reason: str
    delay_s: float


class Recorder:
    """Waits for a condition instead of a time."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.started: list[str] = []
        self.bytes: Counter[str] = Counter()
        self.steps: list[int] = []
        self.verified: dict[str, str] = {}
        self.retries: list[Retry] = []

    def file_started(self, path: str) -> None:
        with self._news:
            self.started.append(path)
            self._news.notify_all()

    def advanced(self, path: str, bytes_delta: int) -> None:
        with self._news:
            self.bytes[path] += bytes_delta
            self.steps.append(bytes_delta)
            self._news.notify_all()

    def file_verified(self, path: str, sha256: str) -> None:
        with self._news:
            assert path not in self.verified
            self.verified[path] = sha256
            self._news.notify_all()

    def retried(self, path: str, reason: str, delay_s: float) -> None:
        with self._news:
            self.retries.append(Retry(path, reason, delay_s))
            self._news.notify_all()

    @property
    def total_bytes(self) -> int:
        return sum(self.bytes.values())

    def wait_until(self, condition: Callable[["Recorder"], bool]) -> None:
        with self._news:
            assert self._news.wait_for(lambda: condition(self), DEADLINE_S)


@contextmanager
def in_thread(
    plan: TransferPlan, staging: Path, recorder: Recorder, stop: threading.Event
) -> Iterator[Future[None]]:
    with ThreadPoolExecutor(1, thread_name_prefix="caller") as threads:
        try:
            yield threads.submit(transfer, plan, staging, recorder, stop)
        finally:
            stop.set()


def run(plan: TransferPlan, staging: Path) -> Recorder:
    """To the end; what it raises is the test's."""
    recorder = Recorder()
    transfer(plan, staging, recorder, threading.Event())
    return recorder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, by relative path: also those that should not be there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def transfer_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "hub-transfer" in thread.name]
