"""arq's worker, used for one thing: to hear at once that there may be something to do.

It runs no job itself, so that nothing of a job depends on Redis: its one function only wakes the
runner.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import structlog
from arq.worker import Worker, func

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

from infra.queue import CANCEL_CHANNEL, CONNECTION_ERRORS, EXPIRES_MS, FUNCTION, QUEUE, connect

POLL_S = 0.1
AGAIN_S = 0.2

log = structlog.get_logger()


class ResilientWorker(Worker):
    """arq 0.28's worker stops polling for ever on the first error of Redis, and loses the slots it
    had taken.

    Overrides the private `_poll_iteration`, hence the tight pin of arq.
    """

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
        except CONNECTION_ERRORS as e:
            log.warning("wakeups.poll_failed", error=repr(e))
            await self._start_over()
            await asyncio.sleep(AGAIN_S)

    async def _start_over(self) -> None:
        self.tasks = {job_id: task for job_id, task in self.tasks.items() if not task.done()}
        self.job_counter = len(self.tasks)
        self.sem = asyncio.BoundedSemaphore(self.max_jobs + 1)
        for _ in self.tasks:
            await self.sem.acquire()


class Wakeups:
    """Two loops over one connection pool: wake-ups for pending jobs, and word of cancelled ones."""

    def __init__(
        self, url: str, *, wake: Callable[[], None], cancelled: Callable[[str], None]
    ) -> None:
        self._redis = connect(url)
        self._wake = wake
        self._cancelled = cancelled

    async def poll_forever(self) -> None:
        while True:
            worker = self._worker()
            try:
                await worker.async_run()
            except CONNECTION_ERRORS as e:  # Redis is away at the start
                log.warning("wakeups.not_connected", error=repr(e))
                await asyncio.sleep(1)
            finally:
                if worker.main_task is not None:
                    worker.main_task.cancel()

    async def hear_cancels_forever(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CANCEL_CHANNEL)
                    while True:
                        message = await channel.get_message(
                            ignore_subscribe_messages=True, timeout=5
                        )
                        if message is not None:
                            self._cancelled(message["data"].decode())
            except CONNECTION_ERRORS as e:
                log.warning("wakeups.cancels_not_heard", error=repr(e))
                await asyncio.sleep(AGAIN_S)

    async def aclose(self) -> None:
        await self._redis.aclose(close_connection_pool=True)

    def _worker(self) -> ResilientWorker:
        async def run(_context: dict[Any, Any], *_args: Any, **_kwargs: Any) -> None:
            self._wake()

        return ResilientWorker(
            [func(cast("WorkerCoroutine", run), name=FUNCTION)],
            queue_name=QUEUE,
            redis_pool=self._redis,
            handle_signals=False,
            poll_delay=POLL_S,
            job_timeout=10,
            keep_result=0,
            retry_jobs=False,
            max_tries=1000,
            log_results=False,
            expires_extra_ms=EXPIRES_MS,
            job_serializer=self._redis.job_serializer,
            job_deserializer=self._redis.job_deserializer,
        )
