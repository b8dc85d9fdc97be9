"""Follows the event log: signals tell that it grew, the log itself closes every hole.

Decides what is delivered in which order and when the log is read; knows no transport.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from infra.bus.sequence import Sequence
from infra.bus.signal import LOG_RESET, TRIMMED, Gap, Signal
from infra.bus.stats import Stats

log = structlog.get_logger(__name__)

_REORDER_S = 0.01  # two processes that publish at once are no reason to read the log
_PAGE_ROWS = 128  # half a queue: readers can keep up with a replay
_TIMEOUT_S = 5.0
_BACKOFF_S = 0.05
_MAX_BACKOFF_S = 1.0


class History(Protocol):
    """The event log: rows in the order of their commits, their `seq` given out without holes."""

    async def head(self) -> int:
        """The highest committed `seq`; 0: none yet."""

    async def after(self, seq: int, limit: int) -> list[Signal]:
        """At most `limit` rows with a greater `seq`, ascending; removed rows are missing."""

    async def trimmed(self) -> int:
        """The greatest `seq` that was removed with all before it; 0: none. Holes above it are rows
        that nobody misses.
        """


class LogFollower:
    """Delivers each durable signal once and in order; tells a `Gap` for what the log lost.

    `deliver` and `tell` are called synchronously. The log is compared `idle_s` after the last
    signal that was in order, and 10 ms after one that was not.
    """

    def __init__(
        self,
        history: History,
        *,
        deliver: Callable[[Signal], None],
        tell: Callable[[Gap], None],
        stats: Stats,
        idle_s: float,
    ) -> None:
        self._history = history
        self._deliver = deliver
        self._tell = tell
        self._stats = stats
        self._idle_s = idle_s
        self._sequence = Sequence(0)
        self._compare_at = 0.0
        self._not_before = 0.0
        self._backoff_s = _BACKOFF_S

    @property
    def position(self) -> int:
        """The last `seq` that was delivered or given up."""
        return self._sequence.last

    @property
    def compare_at(self) -> float:
        """When `compare` is due, on the clock of the event loop."""
        return max(self._compare_at, self._not_before)

    async def start(self) -> None:
        """Takes the head of the log as the position; raises what `History.head` raises."""
        self._sequence = Sequence(await self._history.head())
        self.compare_soon()

    def compare_soon(self) -> None:
        """Makes `compare` due: signals may have been lost."""
        self._compare_at = _now()

    def receive(self, seq: int, signal: Signal) -> None:
        """Delivers `signal` and those that waited for it, or lets it wait for the ones before."""
        ready = self._sequence.admit(seq, signal)
        for each in ready:
            self._deliver(each)
        if self._sequence.broken:
            self._compare_at = min(self._compare_at, _now() + _REORDER_S)
        elif ready:
            self._compare_at = _now() + self._idle_s

    async def compare(self) -> None:
        """Delivers what the log holds beyond the position. If it does not answer, the next attempt
        is due after a pause that doubles up to a second.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                head = await self._history.head()
            await self._catch_up(head)
        except Exception as e:  # noqa: BLE001 - the log is a port: whatever it raises means "not now"
            self._postpone(e)
        else:
            self._backoff_s = _BACKOFF_S
            self._compare_at = _now() + self._idle_s

    async def _catch_up(self, head: int) -> None:
        if head < self._sequence.last:
            self._reset(head)
        while self._sequence.last < head:
            async with asyncio.timeout(_TIMEOUT_S):
                rows = await self._history.after(self._sequence.last, _PAGE_ROWS)
            # After the rows: what is trimmed in between is rather told than missed
            trimmed = await self._trimmed() if _has_hole(rows, self._sequence.last) else 0
            for row in rows:
                self._replay(row, trimmed)
            if not rows:
                self._pass_over(head, trimmed)
            await asyncio.sleep(0)  # the readers' turn
        self._sequence.forget_early()

    async def _trimmed(self) -> int:
        async with asyncio.timeout(_TIMEOUT_S):
            return await self._history.trimmed()

    def _replay(self, row: Signal, trimmed: int) -> None:
        if row.seq is None:
            raise ValueError(f"a row of the log without seq: {row}")
        if row.seq > self._sequence.last + 1:
            self._pass_over(row.seq - 1, trimmed)
        for signal in self._sequence.admit(row.seq, row):
            self._stats.filled += 1
            self._deliver(signal)

    def _pass_over(self, to_seq: int, trimmed: int) -> None:
        from_seq, lost_to = self._sequence.last + 1, min(to_seq, trimmed)
        if from_seq <= lost_to:
            log.warning("bus.log_trimmed", from_seq=from_seq, to_seq=lost_to)
            self._tell(Gap(TRIMMED, from_seq=from_seq, to_seq=lost_to))
        for signal in self._sequence.skip_to(to_seq):
            self._deliver(signal)

    def _reset(self, head: int) -> None:
        log.warning("bus.log_reset", position=self._sequence.last, head=head)
        self._sequence = Sequence(head)
        self._tell(Gap(LOG_RESET, from_seq=None, to_seq=None))

    def _postpone(self, error: Exception) -> None:
        self._stats.failures += 1
        if self._backoff_s == _BACKOFF_S:  # once per outage
            log.warning("bus.log_unavailable", error=repr(error))
        self._not_before = _now() + self._backoff_s
        self._compare_at = self._not_before
        self._backoff_s = min(self._backoff_s * 2, _MAX_BACKOFF_S)


def _has_hole(rows: list[Signal], last: int) -> bool:
    return not rows or rows[-1].seq != last + len(rows)


def _now() -> float:
    return asyncio.get_running_loop().time()
