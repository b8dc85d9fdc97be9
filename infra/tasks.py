"""The one home of background tasks: each has a name and an owner, is restarted after an unexpected
error, and is gone once its owner has stopped. Refuses nameless tasks and silent deaths.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Self

import structlog

log = structlog.get_logger(__name__)

# asyncio.wait_for of Python 3.11 may swallow a cancellation that races its result: ask again.
_CANCEL_AGAIN_S = 1.0


class Background:
    """Owner of named tasks.

    A coroutine that returns is done and its name is free again; one that raises is logged
    (`task.failed`) and started anew after a pause that doubles from `backoff_s` to
    `max_backoff_s`. A run of at least `healthy_s` resets the pause.
    """

    def __init__(
        self, *, backoff_s: float = 0.05, max_backoff_s: float = 5.0, healthy_s: float = 30.0
    ) -> None:
        self._backoff_s = backoff_s
        self._max_backoff_s = max_backoff_s
        self._healthy_s = healthy_s
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failures: dict[str, int] = {}
        """Unexpected errors per name since the owner was made."""

    def start(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts `run()` as a task of this name; `run` is called again for each restart.

        Raises ValueError if a task of this name is running.
        """
        if name in self._tasks:
            raise ValueError(f"a background task named {name!r} is already running")
        task = asyncio.create_task(self._supervise(name, run), name=name)
        self._tasks[name] = task
        task.add_done_callback(partial(self._ended, name))

    async def stop(self) -> None:
        """Cancels every task and returns when all have ended; may be called twice.

        A task that swallows its cancellation is cancelled again each second.
        """
        while tasks := set(self._tasks.values()) - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_AGAIN_S)
            await asyncio.sleep(0)  # the done callbacks empty the register

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._tasks[name]
        if not task.cancelled() and (error := task.exception()):
            log.error("task.failed_while_stopping", task=name, exc_info=error)

    async def _supervise(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        backoff_s = self._backoff_s
        while True:
            began = time.monotonic()
            try:
                await run()
            except (Exception, asyncio.CancelledError):
                # The edge: whatever a task raises, also the cancellation of a future it awaits,
                # is told and answered by a restart. Only a cancellation of the task itself ends it.
                if _is_cancelled():
                    raise
                if time.monotonic() - began >= self._healthy_s:
                    backoff_s = self._backoff_s
                self.failures[name] = self.failures.get(name, 0) + 1
                log.exception("task.failed", task=name, restart_in_s=backoff_s)
            else:
                return
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, self._max_backoff_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
