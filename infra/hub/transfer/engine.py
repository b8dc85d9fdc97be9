"""All files of a plan at once, over as many connections as prove to be worth it."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from infra.hub.errors import TransferStopped
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.connection import Connections
from infra.hub.transfer.dialer import Dialer
from infra.hub.transfer.download import Download
from infra.hub.transfer.fetch import Fetcher
from infra.hub.transfer.journal import Entry, Journal
from infra.hub.transfer.pace import MIN_SEGMENT_BYTES, Pace
from infra.hub.transfer.plan import Observer, Stop, TransferPlan, part_names
from infra.hub.transfer.pool import Pool
from infra.hub.transfer.resolve import Source

# One per worker. On loopback 1 MiB costs 6 % more CPU than 2, and a quarter MiB 19 %; with many
# connections each is slow, and small ones do.
_BUFFER_BYTES = 2 << 20
_SMALL_BUFFER_BYTES = 1 << 18
_LARGE_BUFFERS = 4
_POLL_S = 0.05
_JUDGE_S = 0.5
# A killed process loses at most what came since: a quarter second, or these bytes, or a 128th.
_JOURNAL_S = 0.25
_JOURNAL_BYTES = 4 << 20
_JOURNAL_SHARE = 128


def transfer(
    plan: TransferPlan,
    staging: Path,
    observer: Observer,
    stop: Stop,
    *,
    owned: Callable[[], bool] = lambda: True,
) -> None:
    """Brings every file of `plan` to `staging/<path>`, synced and verified, then returns.

    What an earlier attempt left in `staging`, also one that was killed, is used. Blocks, with one
    thread per connection and 2 MiB for the first four, a quarter MiB for each of the rest. The
    first file that fails stops the others, and its error is raised: any HubError, or OSError if
    the disk fails otherwise than by being full. When `stop` is set, TransferStopped is raised
    within half a second, except while the disk syncs; no thread writes content after it has seen
    it set.

    A journal stays in `staging` unless all went well. `owned`: whether `staging` is still ours
    after a stop, so that the last bytes can be written down; else it belongs to another process.
    """
    if not plan.files:
        return
    crew = _Crew(plan, staging, observer, stop, owned)
    try:
        with ThreadPoolExecutor(plan.max_connections, thread_name_prefix="hub-transfer") as threads:
            try:
                crew.lead(threads, stop)
            finally:
                crew.halt()
    finally:
        crew.close()
    if not owned():
        raise TransferStopped("the transfer was stopped")
    crew.journal.remove()


class _Crew:
    """What the threads of one transfer share, and the thread that called it watches."""

    def __init__(
        self,
        plan: TransferPlan,
        staging: Path,
        observer: Observer,
        stop: Stop,
        owned: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._observer = observer
        self._owned = owned
        self._brake = Brake(stop)
        self._dialer = Dialer(self._brake, timeout_s=plan.timeout_s)
        self.journal = Journal(plan, staging)
        names, known = part_names(plan.files), self.journal.load()
        self._downloads = [
            Download(
                file,
                Source(plan, file.path),
                part=staging / names[file.path],
                target=staging / file.path,
                known=known.get(file.path),
                observer=observer,
                brake=self._brake,
                save=self._save,
            )
            for file in plan.files
        ]
        self._pool = Pool(self._downloads, parallel_files=plan.parallel_files)
        self._pace = Pace(start=plan.connections, most=plan.max_connections)
        self._pool.wake_at_bytes = _JOURNAL_BYTES
        self._saved_at_s = self._judged_at_s = time.monotonic()
        self._saved_bytes = self._judged_bytes = 0
        total_bytes = sum(file.size_bytes for file in plan.files)
        self._journal_bytes = max(_JOURNAL_BYTES, total_bytes // _JOURNAL_SHARE)

    def lead(self, threads: ThreadPoolExecutor, stop: Stop) -> None:
        """Until the last worker has ended. Raises what the first one failed with."""
        running: set[Future[None]] = set()
        started, useful = 0, self._useful()
        while True:
            self._pool.wanted = min(self._pace.connections, useful)
            while self._pool.worker_count < self._pool.wanted:
                self._pool.enter()
                worker = threads.submit(self._work, started)
                worker.add_done_callback(lambda _: self._pool.news.set())
                running.add(worker)
                started += 1
            self._pool.news.wait(_POLL_S)
            self._pool.news.clear()
            ended = {worker for worker in running if worker.done()}
            for worker in ended:
                worker.result()
            running -= ended
            if self._pool.done:
                return
            if stop.is_set():
                raise TransferStopped("the transfer was stopped")
            self._save_if_due()
            self._judge_if_due()

    def halt(self) -> None:
        """Has the workers end at once."""
        self._brake.pull()
        self._pool.stop()

    def close(self) -> None:
        """Only when no worker is left: what there is, is written down, to the last byte."""
        self._save()
        for download in self._downloads:
            download.close()

    def _useful(self) -> int:
        """More workers than that would have nothing to do."""
        return sum(
            -(-download.file.size_bytes // MIN_SEGMENT_BYTES) if download.split else 1
            for download in self._downloads
        )

    def _work(self, number: int) -> None:
        connections = Connections(self._brake, self._dialer)
        size_bytes = _BUFFER_BYTES if number < _LARGE_BUFFERS else _SMALL_BUFFER_BYTES
        fetcher = Fetcher(
            self._plan,
            self._pool,
            observer=self._observer,
            brake=self._brake,
            connections=connections,
            buffer=memoryview(bytearray(size_bytes)),
        )
        last: Download | None = None
        try:
            while errand := self._pool.next(last, small_first=number % 2 == 0):
                try:
                    fetcher.run(errand)
                finally:
                    self._pool.give_back(errand)
                last = errand.download
        finally:
            connections.close()

    def _save_if_due(self) -> None:
        now_s, received_bytes = time.monotonic(), self._pool.received_bytes
        fresh_bytes = received_bytes - self._saved_bytes
        late = now_s - self._saved_at_s >= _JOURNAL_S and fresh_bytes
        if late or fresh_bytes >= self._journal_bytes:
            self._save()
            self._saved_at_s, self._saved_bytes = now_s, received_bytes
            self._pool.wake_at_bytes = received_bytes + self._journal_bytes

    def _save(self) -> None:
        """Only large files: of the others the length of the part says all."""
        large = [download for download in self._downloads if download.split]
        if large and self._owned():
            self.journal.save(lambda: _entries(large))

    def _judge_if_due(self) -> None:
        now_s, score_bytes = time.monotonic(), self._pool.score_bytes
        if self._pool.take_refused():
            self._pace.busy()
        if now_s - self._judged_at_s < _JUDGE_S:
            return
        if not self._pool.idle:
            rate = (score_bytes - self._judged_bytes) / (now_s - self._judged_at_s)
            self._pace.judge(rate)
        self._judged_at_s, self._judged_bytes = now_s, score_bytes


def _entries(downloads: list[Download]) -> Mapping[str, Entry]:
    return {d.file.path: entry for d in downloads if (entry := d.entry()) is not None}
