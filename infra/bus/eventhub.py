"""One reader of the bus per process, and its fan-out to any number of bounded subscriptions.

Durable signals reach every subscriber in the order of the log, each once, without holes; what the
transport loses is filled from the log, and what the log lost is told. Refuses to hold payloads.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, assert_never

from broadcaster import Broadcast, BroadcastBackend, Event

from infra.bus.backend import NOTICES, Notice
from infra.bus.fanout import Fanout
from infra.bus.follower import History, LogFollower
from infra.bus.signal import CHANNEL, Signal
from infra.bus.stats import Stats
from infra.bus.subscription import Subscription
from infra.tasks import Background

__all__ = ["EventHub", "History"]

_TURN_EVENTS = 32  # then the readers get their turn, before a burst fills their queues


class EventHub:
    """Owner of a backend: connects, reads and closes it.

    `broadcast` is a backend, or a Broadcast around one that nobody else connects. `queue_size`:
    items one subscription may hold. `idle_s`: how long a row whose signal was lost may stay unseen;
    the log is compared when nothing durable arrived for so long, and at once after a reconnect.
    """

    def __init__(
        self,
        broadcast: Broadcast | BroadcastBackend,
        history: History,
        *,
        queue_size: int = 256,
        idle_s: float = 1.0,
    ) -> None:
        # Broadcast's own fan-out is unbounded and loses concurrent subscribers: it serves as the
        # place to plug a backend in and to publish, and the hub reads the backend itself.
        self._backend: BroadcastBackend = (
            broadcast._backend if isinstance(broadcast, Broadcast) else broadcast
        )
        self._queue_size = queue_size
        self.stats = Stats()
        self._fanout = Fanout()
        self._follower = LogFollower(
            history,
            deliver=self._fanout.deliver,
            tell=self._fanout.tell,
            stats=self.stats,
            idle_s=idle_s,
        )
        self._background = Background(backoff_s=0.05, max_backoff_s=1.0)
        self._started = False
        self._stopped = False
        self.connected = False
        """Whether the transport answers. The hub works without it, `idle_s` later."""

    @property
    def position(self) -> int:
        """The last durable `seq` that was handed out."""
        return self._follower.position

    @property
    def subscriber_count(self) -> int:
        """Subscriptions that are entered now."""
        return len(self._fanout)

    async def start(self) -> None:
        """Starts at the head of the log; raises what `History.head` raises. The transport may be
        away. A hub is started once.
        """
        await self._follower.start()
        await self._backend.connect()
        await self._backend.subscribe(CHANNEL)
        self._background.start("bus.pump", self._pump)
        self._started = True

    async def stop(self) -> None:
        """Ends every subscription, then closes the backend; what it has to publish is sent."""
        self._stopped = True
        await self._background.stop()
        self._fanout.end()
        await self._backend.disconnect()
        self.connected = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def subscribe(
        self,
        matches: Callable[[Signal], bool],
        *,
        coalesce: bool = False,
        subject: str | None = None,
    ) -> Subscription:
        """A subscription to enter and iterate; see there.

        `subject` (None: every one) spares `matches`, and the hub, all other signals. Entering
        raises RuntimeError before `start`; after `stop` the iteration is empty.
        """
        return Subscription(
            matches,
            enter=self._enter,
            leave=self._fanout.remove,
            stats=self.stats,
            subject=subject,
            coalesce=coalesce,
            size=self._queue_size,
        )

    def _enter(self, subscription: Subscription) -> int:
        if not self._started:
            raise RuntimeError("the event hub is not started")
        self._fanout.add(subscription)
        if self._stopped:
            subscription.end()
        return self._follower.position

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        turn = 0
        self._follower.compare_soon()
        while True:
            if self._follower.compare_at <= loop.time():
                await self._follower.compare()
            if event := await self._next_event():
                self._take(event)
                turn += 1
            if turn >= _TURN_EVENTS:
                turn = 0
                await asyncio.sleep(0)

    async def _next_event(self) -> Event | None:
        timeout = asyncio.timeout_at(self._follower.compare_at)
        try:
            async with timeout:
                return await self._backend.next_published()
        except TimeoutError:
            if not timeout.expired():
                raise
            return None

    def _take(self, event: Event) -> None:
        if event.channel == NOTICES:
            self._heed(Notice(event.message))
        elif event.channel == CHANNEL:
            self.connected = True
            self._receive(event.message)

    def _receive(self, message: str) -> None:
        try:
            signal = Signal.decode(message)
        except ValueError:
            self.stats.skipped += 1
            return
        self.stats.received += 1
        if signal.seq is None:
            self._fanout.deliver(signal)
        else:
            self._follower.receive(signal.seq, signal)

    def _heed(self, notice: Notice) -> None:
        match notice:
            case Notice.CONNECTED:
                self.connected = True
                self._follower.compare_soon()
            case Notice.RECONNECTED:
                self.connected = True
                self.stats.reconnects += 1
                self._follower.compare_soon()
            case Notice.BEHIND:
                self._follower.compare_soon()
            case Notice.LOST:
                self.connected = False
            case Notice.SKIPPED:
                self.stats.skipped += 1
            case _:
                assert_never(notice)
