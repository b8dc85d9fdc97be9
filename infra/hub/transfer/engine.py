"""All files of a plan, a few at a time, one connection each: simple, and bounded in memory.

A full engine (ranges, journal, adaptive connections) fits behind the same function.
"""

from collections import deque
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from infra.hub.errors import TransferStopped
from infra.hub.snapshot import HubFile
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.connection import Connections
from infra.hub.transfer.dialer import Dialer
from infra.hub.transfer.fetch import Fetch
from infra.hub.transfer.part import Part
from infra.hub.transfer.plan import Observer, Stop, TransferPlan, part_names
from infra.hub.transfer.resolve import Source

# One per file in flight. Larger ones make neither the hash nor the disk faster.
_BUFFER_BYTES = 1 << 20
_STOP_POLL_S = 0.05


def transfer(plan: TransferPlan, staging: Path, observer: Observer, stop: Stop) -> None:
    """Brings every file of `plan` to `staging/<path>`, synced and verified, then returns.

    Files and parts that an earlier attempt left in `staging` are hashed and used. Blocks, with
    `parallel_files` threads and 1 MiB each. The first file that fails stops the others, and its
    error is raised: any HubError, or OSError if the disk fails otherwise than by being full. When
    `stop` is set, TransferStopped is raised within 0.3 s, except while a name is looked up; no
    thread writes anything after it has seen it set.
    """
    crew = _Crew(plan, staging, observer, stop)
    workers = min(plan.parallel_files, len(plan.files))
    if not workers:
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="hub-transfer") as threads:
        try:
            _join({threads.submit(crew.work) for _ in range(workers)}, crew.brake, stop)
        finally:
            crew.brake.pull()


def _join(running: set[Future[None]], brake: Brake, stop: Stop) -> None:
    while running:
        done, running = wait(running, timeout=_STOP_POLL_S, return_when=FIRST_EXCEPTION)
        failures = [failure for future in done if (failure := future.exception())]
        if failures:
            raise failures[0]
        if running and stop.is_set():
            brake.pull()
            raise TransferStopped("the transfer was stopped")


class _Crew:
    """What the threads of one transfer share."""

    def __init__(self, plan: TransferPlan, staging: Path, observer: Observer, stop: Stop) -> None:
        self.brake = Brake(stop)
        self._plan = plan
        self._staging = staging
        self._observer = observer
        self._part_names = part_names(plan.files)
        # The largest first: the last thread to end then ends early.
        self._queue = deque(sorted(plan.files, key=lambda file: file.size_bytes, reverse=True))

    def work(self) -> None:
        """Takes files until none is left. Runs in each thread."""
        dialer = Dialer(self.brake, timeout_s=self._plan.timeout_s)
        connections = Connections(self.brake, dialer)
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        try:
            while True:
                self.brake.check()
                try:
                    file = self._queue.popleft()
                except IndexError:
                    return
                self._fetch(file, connections, buffer).run()
        finally:
            connections.close()

    def _fetch(self, file: HubFile, connections: Connections, buffer: memoryview) -> Fetch:
        part = self._staging / self._part_names[file.path]
        return Fetch(
            file=file,
            part=Part(file, part=part, target=self._staging / file.path),
            source=Source(self._plan, file.path, connections),
            observer=self._observer,
            brake=self.brake,
            buffer=buffer,
        )
