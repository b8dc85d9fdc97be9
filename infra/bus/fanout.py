"""Hands each signal to the subscriptions it concerns, in one pass and without a task."""

from itertools import chain

import structlog

from infra.bus.signal import Gap, Signal
from infra.bus.subscription import Subscription

log = structlog.get_logger(__name__)


class Fanout:
    """The subscriptions of one hub, those to one subject found without looking at the others."""

    def __init__(self) -> None:
        # The keys are the subscriptions: a set that keeps the order of entering. None: all subjects
        self._by_subject: dict[str | None, dict[Subscription, None]] = {None: {}}

    def __len__(self) -> int:
        return sum(map(len, self._by_subject.values()))

    def add(self, subscription: Subscription) -> None:
        """Registers; it sees everything that is delivered from now on."""
        self._by_subject.setdefault(subscription.subject, {})[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """The inverse; does nothing if it is not registered."""
        subject = subscription.subject
        group = self._by_subject.get(subject, {})
        group.pop(subscription, None)
        if not group and subject is not None:
            self._by_subject.pop(subject, None)

    def deliver(self, signal: Signal) -> None:
        """Queues `signal` wherever it matches. A subscription whose `matches` raises is ended."""
        concerned = self._by_subject[None].keys()
        of_subject = signal.subject and self._by_subject.get(signal.subject)
        for subscription in chain(concerned, of_subject) if of_subject else concerned:
            try:
                if subscription.matches(signal):
                    subscription.put(signal)
            except Exception as e:
                log.exception("bus.matches_failed", type=signal.type, subject=signal.subject)
                subscription.end(e)

    def tell(self, gap: Gap) -> None:
        """Queues `gap` for everyone."""
        for subscription in chain.from_iterable(self._by_subject.values()):
            subscription.tell(gap)

    def end(self) -> None:
        """Lets every iteration finish."""
        for subscription in chain.from_iterable(self._by_subject.values()):
            subscription.end()
