"""What a hub counts, for /metrics."""

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """Counters since the hub was made.

    `received`: signals from the transport; `filled`: durable signals from the log instead;
    `delivered`: put into queues; `coalesced`: replaced by a newer one before they were read;
    `dropped`: lost by overflow; `gaps`: told to subscriptions; `reconnects`: of the transport;
    `skipped`: malformed entries; `failures`: comparisons that the log did not answer.
    """

    received: int = 0
    filled: int = 0
    delivered: int = 0
    coalesced: int = 0
    dropped: int = 0
    gaps: int = 0
    reconnects: int = 0
    skipped: int = 0
    failures: int = 0
