"""Progress and log lines on their way out: ticks for those who watch, rows for everybody else.

At most ten ticks a second for each job; at most four transactions a second for the whole process;
one sample a second for each job enters the event log.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from core.feed.kinds import EventType
from core.jobs import claim, logs
from core.jobs.claim import Progress
from core.services import Services
from infra.bus.signal import Signal
from infra.db.store import Tx
from jobs.context import TaskContext
from jobs.meter import Reading

TICK_S = 0.1
FLUSH_S = 0.25
SAMPLE_S = 1.0

Entry = tuple[TaskContext, Progress | None, list[logs.Line]]


class Reporter:
    """Reports for the runs that `running` names; `fenced` is called for those that lost their
    job.
    """

    def __init__(
        self,
        services: Services,
        running: Callable[[], Iterable[TaskContext]],
        fenced: Callable[[TaskContext], None],
    ) -> None:
        self._services = services
        self._running = running
        self._fenced = fenced
        self._sampled_at: dict[str, float] = {}
        self._written: dict[str, tuple[str, int]] = {}
        self._flushing = asyncio.Lock()

    async def tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for run in self._running():
                reading = run.meter.look()
                if reading is not None:
                    self._services.tick(_tick(run, reading))

    async def flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush(list(self._running()))

    async def flush(self, runs: list[TaskContext], *, last: bool = False) -> None:
        """Writes what the runs have counted and logged since the last time, in one transaction.

        `last`: nothing comes after it, so it is written on a full disk too.
        """
        store = self._services.store
        write = store.settle if last else store.write
        async with self._flushing:  # two at once could commit the older numbers last
            # In the order of their ids, as leases are renewed: else Postgres finds deadlocks
            runs = sorted(runs, key=lambda run: run.job.id)
            batch = [(run, run.meter.drain(), run.take_lines()) for run in runs]
            work = [(run, self._progress(run, r), lines) for run, r, lines in batch]
            work = [entry for entry in work if entry[1] is not None or entry[2]]
            if not work:
                return
            try:
                lost = await write(_write, work)
            except BaseException:
                for run, progress, lines in work:
                    run.give_back(lines)
                    if progress is not None:
                        run.meter.put_back(progress.files)
                raise
            self._remember(work)
        for run in lost:
            self._fenced(run)

    def forget(self, run: TaskContext) -> None:
        self._sampled_at.pop(run.job.id, None)
        self._written.pop(run.job.id, None)

    def _progress(self, run: TaskContext, reading: Reading | None) -> Progress | None:
        """What is to be written; None where nothing moved."""
        if reading is None:
            return None
        moved = self._written.get(run.job.id) != (reading.stage, reading.bytes_done)
        if not moved and not reading.files:
            return None
        elapsed_s = time.monotonic() - self._sampled_at.get(run.job.id, 0.0)
        return Progress(
            job_id=run.job.id,
            epoch=run.job.epoch,
            stage=reading.stage,
            bytes_done=reading.bytes_done,
            bytes_per_second=reading.bytes_per_second,
            files=reading.files,
            sample=moved and elapsed_s >= SAMPLE_S,
        )

    def _remember(self, work: list[Entry]) -> None:
        for run, progress, _lines in work:
            if progress is not None:
                self._written[run.job.id] = (progress.stage, progress.bytes_done)
                if progress.sample:
                    self._sampled_at[run.job.id] = time.monotonic()


def _write(tx: Tx, work: list[Entry]) -> list[TaskContext]:
    """The runs among them that are fenced, and of which nothing was written."""
    lost = []
    for run, progress, lines in work:
        held = logs.write(tx, run.job.id, lines, epoch=run.job.epoch)
        if held and progress is not None:
            held = claim.record(tx, progress)
        if not held:
            lost.append(run)
    return lost


def _tick(run: TaskContext, reading: Reading) -> Signal:
    total = run.job.bytes_total
    detail = {
        "jobId": run.job.id,
        "epoch": run.job.epoch,
        "stage": reading.stage,
        "progress": min(1.0, reading.bytes_done / total) if total else None,
        "bytesDone": str(reading.bytes_done),
        "bytesTotal": None if total is None else str(total),
        "bytesPerSecond": reading.bytes_per_second,
    }
    return Signal(EventType.JOB_PROGRESS, run.job.id, detail=detail)
