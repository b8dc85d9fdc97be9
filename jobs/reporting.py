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

    async def flush(self, runs: list[TaskContext]) -> None:
        """Writes what the runs have counted and logged since the last time, in one transaction."""
        batch = [(run, run.meter.drain(), run.take_lines()) for run in runs]
        work = [(run, r, lines) for run, r, lines in batch if lines or self._news(run, r)]
        if not work:
            return
        try:
            lost = await self._services.store.write(self._write, work)
        except BaseException:
            for run, reading, lines in work:
                run.give_back(lines)
                if reading is not None:
                    run.meter.put_back(reading.files)
            raise
        for run in lost:
            self._fenced(run)

    def forget(self, run: TaskContext) -> None:
        self._sampled_at.pop(run.job.id, None)
        self._written.pop(run.job.id, None)

    def _news(self, run: TaskContext, reading: Reading | None) -> bool:
        if reading is None:
            return False
        return bool(reading.files) or self._written.get(run.job.id) != _key(reading)

    def _write(
        self, tx: Tx, work: list[tuple[TaskContext, Reading | None, list[logs.Line]]]
    ) -> list[TaskContext]:
        lost = []
        for run, reading, lines in work:
            held = logs.write(tx, run.job.id, lines, epoch=run.job.epoch)
            if held and reading is not None:
                held = claim.record(tx, self._progress(run, reading))
                self._written[run.job.id] = _key(reading)
            if not held:
                lost.append(run)
        return lost

    def _progress(self, run: TaskContext, reading: Reading) -> Progress:
        now_s = time.monotonic()
        sample = now_s - self._sampled_at.get(run.job.id, 0.0) >= SAMPLE_S
        moved = self._written.get(run.job.id) != _key(reading)
        if sample and moved:
            self._sampled_at[run.job.id] = now_s
        return Progress(
            job_id=run.job.id,
            epoch=run.job.epoch,
            stage=reading.stage,
            bytes_done=reading.bytes_done,
            bytes_per_second=reading.bytes_per_second,
            files=reading.files,
            sample=sample and moved,
        )


def _key(reading: Reading) -> tuple[str, int]:
    return reading.stage, reading.bytes_done


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
