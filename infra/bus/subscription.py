"""One reader's bounded queue. Refuses to grow past its size and to lose a signal silently."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from itertools import count
from types import TracebackType
from typing import Self

from infra.bus.signal import LOG_RESET, SLOW_CONSUMER, Gap, Signal
from infra.bus.stats import Stats


class Subscription:
    """Signals for one reader, those after `position`; iterate it within `async with`.

    `subject`: only signals of this subject, None: of every one; `matches` decides on each of those.
    With `coalesce` a newer signal of a subject takes the place of an older one that is still
    queued; a tick never replaces a durable one. Overflow replaces the whole backlog by one `Gap`.
    Iteration ends with the hub; it raises what `matches` raised. `enter` registers and returns the
    position, `leave` is its inverse; neither awaits, so entering is one step.
    """

    def __init__(
        self,
        matches: Callable[[Signal], bool],
        *,
        enter: Callable[["Subscription"], int],
        leave: Callable[["Subscription"], None],
        stats: Stats,
        subject: str | None,
        coalesce: bool,
        size: int,
    ) -> None:
        self.subject = subject
        self.matches = matches
        self.position = 0
        """The hub's last `seq` at registration: rows up to it are in the database, durable signals
        after it are delivered here. A reader's own cursor may be ahead of it, if another process
        was faster; then it drops signals up to its cursor."""
        self._enter = enter
        self._leave = leave
        self._stats = stats
        self._coalesce = coalesce
        self._size = size
        self._queue: OrderedDict[Hashable, Signal | Gap] = OrderedDict()
        self._unique = count()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = True
        self._error: Exception | None = None

    async def __aenter__(self) -> Self:
        self._ended = False
        self.position = self._enter(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(self)
        self._queue.clear()
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Signal | Gap:
        """Safe to cancel. Raises RuntimeError if another task is waiting already."""
        while not self._queue:
            if self._error:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            await self._filled()
        return self._queue.popitem(last=False)[1]

    def put(self, signal: Signal) -> None:
        """For the hub: queues a signal that matches."""
        key = self._key(signal)
        if key in self._queue:
            self._stats.coalesced += 1
        else:
            self._make_room()
        self._queue[key] = signal
        self._stats.delivered += 1
        self._wake()

    def tell(self, gap: Gap) -> None:
        """For the hub: queues a gap of the log."""
        self._make_room()
        self._queue[next(self._unique)] = gap
        self._stats.gaps += 1
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """For the hub: iteration finishes after what is queued, with `error` if there is one."""
        self._ended = True
        if error:
            self._error = error
            self.matches = _nothing
        self._wake()

    def _key(self, signal: Signal) -> Hashable:
        if not self._coalesce or signal.subject is None:
            return next(self._unique)
        tick_key = (signal.subject,)
        if signal.seq is None:
            return tick_key
        if self._queue.pop(tick_key, None):
            self._stats.coalesced += 1
        return signal.subject

    def _make_room(self) -> None:
        if len(self._queue) < self._size:
            return
        gap = _overflow(self._queue.values())
        self._stats.dropped += sum(isinstance(item, Signal) for item in self._queue.values())
        self._stats.gaps += 1
        self._queue.clear()
        self._queue[next(self._unique)] = gap

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def _filled(self) -> None:
        if self._waiter:
            raise RuntimeError("a subscription has one reader at a time")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


def _nothing(_: Signal) -> bool:
    return False


def _overflow(backlog: Iterable[Signal | Gap]) -> Gap:
    lost: list[int] = []
    for item in backlog:
        if isinstance(item, Signal):
            ends: tuple[int | None, ...] = (item.seq,)
        elif item.reason == LOG_RESET:
            return item  # says more than an overflow, and includes it
        else:
            ends = (item.from_seq, item.to_seq)
        lost += [seq for seq in ends if seq is not None]
    return Gap(
        SLOW_CONSUMER,
        from_seq=min(lost) if lost else None,
        to_seq=max(lost) if lost else None,
    )
