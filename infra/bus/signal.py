"""What travels on the bus: ids that say what to look at again, never rows or documents."""

from dataclasses import dataclass
from typing import Any

import msgspec

CHANNEL = "events"
"""The one channel of the bus; subscribers filter signals, not channels."""

SLOW_CONSUMER = "slow-consumer"
TRIMMED = "trimmed"
LOG_RESET = "log-reset"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something of `type` happened to `subject` (the id of a node; None: to nothing in particular).

    `seq` is the place in the event log and `event_id` the row there. Both are None for a tick: a
    signal without a row (progress, pod status) that may be lost and means "look again". `detail`
    holds the small numbers of a tick; it must be JSON.
    """

    type: str
    subject: str | None
    seq: int | None = None
    event_id: str | None = None
    detail: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """As UTF-8 JSON; raises TypeError if `detail` is not JSON."""
        return _ENCODER.encode(self)

    @staticmethod
    def decode(message: bytes | str) -> "Signal":
        """The inverse of `encode`; raises ValueError if it is malformed. Unknown keys are ignored,
        so that an older process reads a newer one.
        """
        return _DECODER.decode(message)


@dataclass(frozen=True, slots=True)
class Gap:
    """Durable signals `from_seq … to_seq`, both included, were not delivered.

    None: unknown, or only ticks were lost. `reason`: `slow-consumer` (the reader's own queue
    overflowed; the rows may still be there), `trimmed` (the log no longer holds them) or
    `log-reset` (the log was replaced by an older one; whatever the reader knows is void).
    """

    reason: str
    to_seq: int | None
    from_seq: int | None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Signal)  # its DecodeError and ValidationError are ValueErrors
