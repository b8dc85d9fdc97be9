"""Runs jobs on this worker: takes them while there is room, and writes how each of them ended.

Every wake-up, freed slot and sweep only says "look": the database answers what is most urgent, so a
wake-up that was lost, doubled or late changes nothing but the delay.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog

from core.errors import DomainError, ErrorCode
from core.jobs import claim
from core.jobs.claim import Fenced
from core.jobs.entity import Job, JobError
from core.jobs.kinds import JobState, LogLevel
from core.services import Services
from infra.db.store import Tx
from jobs.context import Done, TaskContext
from jobs.lease import Lease
from jobs.registry import TASKS
from jobs.reporting import Reporter

# https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (full jitter)
BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 300.0
BACKOFF_FLOOR_S = 0.25
END_AGAIN_S = 0.2
# After these, a retry goes on from what the failed job has done.
LEFT_FOR_RETRY = frozenset(
    {
        ErrorCode.NO_SPACE,
        ErrorCode.UNAVAILABLE,
        ErrorCode.TIMEOUT,
        ErrorCode.CRASHED,
        ErrorCode.INTERNAL,
    }
)

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Run:
    """A job that runs here. `lost`: it is no longer ours, and nothing may be written for it.
    `ending`: its work is over and how it ended is being written, which nothing interrupts.
    """

    ctx: TaskContext
    claimed_s: float
    task: asyncio.Task[None] | None = None
    lost: bool = False
    ending: bool = False


class Runner:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings.jobs
        self._runs: dict[str, Run] = {}
        self._stopping = False
        self._claiming = asyncio.Lock()
        self._woken = asyncio.Event()
        self.lease = Lease(
            services.store,
            self._settings,
            running=lambda: list(self._runs),
            renewed=self._reconcile,
        )
        self.reporter = Reporter(services, self._contexts, lambda ctx: self.drop(ctx.job.id))

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    async def look_forever(self) -> None:
        """Takes due jobs while there is room: when woken, and once in a while without being
        told.
        """
        while True:
            self._woken.clear()
            await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.sweep_s):
                    await self._woken.wait()

    async def _look(self) -> None:
        store, ttl_s = self._services.store, self._settings.lease_ttl_s
        while not self._stopping and len(self._runs) < self._settings.concurrency:
            if not await store.read(claim.anything_due):
                return
            async with self._claiming:
                began_s = time.monotonic()
                job = await store.write(claim.claim, owner=self.lease.owner, lease_ttl_s=ttl_s)
                if job is None:
                    return
                self._start(job, began_s)

    def drop(self, job_id: str) -> None:
        """The job is not ours any more: its run stops, and writes nothing."""
        run = self._runs.get(job_id)
        if run is not None and not run.lost:
            log.info("job.dropped", job_id=job_id, epoch=run.ctx.job.epoch)
            run.lost = True
            _stop(run)

    async def stop(self) -> None:
        """Takes no more jobs, and hands over those that run: due at once, without losing an
        attempt.
        """
        self._stopping = True
        async with self._claiming:  # what is being claimed is ours, and has to be handed over
            pass
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for run in self._runs.values():
            _stop(run)
        if tasks:
            await asyncio.wait(tasks)

    def _contexts(self) -> list[TaskContext]:
        return [run.ctx for run in self._runs.values() if not run.lost]

    def _reconcile(self, epochs: dict[str, int], asked_s: float) -> None:
        for job_id, run in list(self._runs.items()):
            # A job claimed while the heartbeat was under way is not in its answer.
            if run.claimed_s < asked_s and epochs.get(job_id) != run.ctx.job.epoch:
                self.drop(job_id)

    def _start(self, job: Job, claimed_s: float) -> None:
        log.info("job.claimed", job_id=job.id, kind=job.kind, epoch=job.epoch, attempt=job.attempt)
        run = Run(TaskContext(job, self._services, lambda: self.lease.held), claimed_s)
        self._runs[job.id] = run
        run.task = asyncio.create_task(self._run(run), name=f"run {job.id}")
        run.task.add_done_callback(lambda _task: self._ended(run))

    def _ended(self, run: Run) -> None:
        if self._runs.get(run.ctx.job.id) is run:  # else the job runs here again already
            del self._runs[run.ctx.job.id]
        self.reporter.forget(run.ctx)
        self.wake()

    async def _run(self, run: Run) -> None:
        ctx = run.ctx
        try:
            await self._run_to_end(run)
        except Fenced:
            run.lost = True
        except (
            Exception
        ):  # the edge of a run: its lease ends unrenewed, and the sweeper gives the job on
            log.exception("job.abandoned", job_id=ctx.job.id)
        if run.lost:
            await self._acknowledge(ctx)

    async def _run_to_end(self, run: Run) -> None:
        ctx = run.ctx
        try:
            done = await _work(ctx)
        except asyncio.CancelledError:
            run.ending = True
            if not run.lost:
                await self._hand_over(ctx)
        except DomainError as e:
            run.ending = True
            await self._failed(ctx, JobError(e.code, e.message, e.hint, e.retryable))
        except Fenced:
            raise
        except Exception as e:  # the edge of every task: told in the log, and in the job's error
            run.ending = True
            log.exception("job.crashed", job_id=ctx.job.id, kind=ctx.job.kind)
            await self._failed(ctx, _unexpected(e))
        else:
            run.ending = True
            await self._completed(ctx, done)

    async def _completed(self, ctx: TaskContext, done: Done) -> None:
        result = await self._end(
            ctx,
            partial(
                claim.complete,
                job_id=ctx.job.id,
                epoch=ctx.job.epoch,
                result=done.result,
                message=done.message,
                also=done.also,
            ),
        )
        log.info("job.completed", job_id=result.id, kind=result.kind, elapsed=str(result.elapsed))
        await TASKS[ctx.job.kind].cleanup(ctx)

    async def _failed(self, ctx: TaskContext, error: JobError) -> None:
        again = error.retryable and ctx.job.attempt < ctx.job.max_attempts
        delay_s = _backoff_s(ctx.job.attempt)
        outcome = f"trying again in {delay_s:.1f} s" if again else "giving up"
        attempt = f"attempt {ctx.job.attempt} of {ctx.job.max_attempts}"
        level = LogLevel.WARNING if again else LogLevel.ERROR
        ctx.log(f"{attempt} failed: {error.message}; {outcome}", level)
        job_id, epoch = ctx.job.id, ctx.job.epoch
        if again:
            await self._end(
                ctx, lambda tx: claim.retry_later(tx, job_id, epoch, error, delay_s=delay_s)
            )
        else:
            await self._end(ctx, lambda tx: claim.fail(tx, job_id, epoch, error))
            if error.code not in LEFT_FOR_RETRY:
                await TASKS[ctx.job.kind].cleanup(ctx)
        log.warning(
            "job.failed", job_id=ctx.job.id, code=error.code, error=error.message, again=again
        )

    async def _hand_over(self, ctx: TaskContext) -> None:
        ctx.log("this worker stops; another one goes on", LogLevel.WARNING)
        await self._end(ctx, partial(claim.hand_over, job_id=ctx.job.id, epoch=ctx.job.epoch))
        log.info("job.handed_over", job_id=ctx.job.id)

    async def _end(self, ctx: TaskContext, write: Callable[[Tx], Job]) -> Job:
        """Writes how the run ended, again and again while the lease lasts: work that is done is
        not lost to one error.
        """
        while True:
            try:
                await self.reporter.flush([ctx], last=True)
                return await self._services.store.settle(write)
            except Fenced:
                raise
            except Exception as e:
                if not self.lease.held:
                    raise
                log.warning("job.end_failed", job_id=ctx.job.id, error=repr(e))
                await asyncio.sleep(END_AGAIN_S)

    async def _acknowledge(self, ctx: TaskContext) -> None:
        """The run has stopped: after a cancel it is undone, and what it worked on is free."""
        job = await self._services.jobs.get(ctx.job.id)
        if job is None or job.state is JobState.CANCELLED:
            await TASKS[ctx.job.kind].undo(ctx)
        await self._services.store.settle(claim.acknowledge, ctx.job.id, self.lease.owner)


async def _work(ctx: TaskContext) -> Done:
    try:
        return await TASKS[ctx.job.kind].run(ctx)
    finally:
        # Before anything is written that lets another worker take the job: the chaos harness
        # compares these lines of all workers.
        log.debug("job.work_ended", job_id=ctx.job.id, epoch=ctx.job.epoch)


def _stop(run: Run) -> None:
    run.ctx.stop.set()
    if run.task is not None and not run.ending:
        run.ending = True
        # Not at once: a task that is cancelled before its first step never takes it, and nobody
        # would write how the run ended.
        asyncio.get_running_loop().call_soon(run.task.cancel)


def _backoff_s(attempt: int) -> float:
    ceiling_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (attempt - 1))
    return max(BACKOFF_FLOOR_S, random.uniform(0, ceiling_s))  # noqa: S311 — jitter


def _unexpected(error: Exception) -> JobError:
    # The text of an unknown error may hold secrets or signed addresses: it stays in the worker's
    # log.
    return JobError(
        ErrorCode.INTERNAL,
        f"unexpected {type(error).__name__}",
        "the worker's log has the trace, under job.crashed",
        retryable=True,
    )
