"""Brings durable signals into the order of the log. Pure: knows no transport, clock or database."""

from infra.bus.signal import Signal

# More than that out of order is no race of two publishers but a hole: the log fills it.
_MAX_EARLY = 256


class Sequence:
    """Everything up to `last` was handed out; what came too early waits for the hole to close."""

    def __init__(self, last: int) -> None:
        self.last = last
        self._early: dict[int, Signal] = {}

    @property
    def broken(self) -> bool:
        """Whether a signal after a hole has been seen."""
        return bool(self._early)

    def admit(self, seq: int, signal: Signal) -> list[Signal]:
        """What is now in order: nothing for a duplicate or after a hole, else `signal` and those
        that waited for it.
        """
        if seq <= self.last:
            return []
        if seq > self.last + 1:
            if len(self._early) < _MAX_EARLY:
                self._early[seq] = signal
            return []
        self.last = seq
        return [signal, *self._follow()] if self._early else [signal]

    def skip_to(self, seq: int) -> list[Signal]:
        """Gives up on everything up to `seq`; returns what waited right after it."""
        self.last = seq
        self._early = {early: s for early, s in self._early.items() if early > seq}
        return self._follow()

    def forget_early(self) -> None:
        """Drops what waits behind a hole: the log has it, or it belongs to another log."""
        self._early.clear()

    def _follow(self) -> list[Signal]:
        ready = []
        while signal := self._early.pop(self.last + 1, None):
            self.last += 1
            ready.append(signal)
        return ready
