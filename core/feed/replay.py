"""Following the event log from a point on: what was missed, then live; in order, each event once,
holes said.

The reader registers with the hub first and then reads rows, so that nothing can fall between the
two. Every signal only means "there are rows after your cursor": order and completeness come from
the log. A hole that retention made among the samples is none.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from core.feed.entity import Event
from core.feed.service import Feed
from infra.bus.eventhub import EventHub
from infra.bus.signal import Gap, Signal

BATCH = 200


@dataclass(frozen=True, slots=True)
class EventGap:
    """Events after `from_` (None: not known) up to `to` are no longer held: read the present
    state, then go on.
    """

    from_: str | None
    to: str
    reason: str


async def follow(
    feed: Feed,
    hub: EventHub,
    *,
    globs: Sequence[str] | None,
    after: str | int | None,
    ticks: bool = False,
) -> AsyncIterator[Event | EventGap | Signal]:
    """Events of the given types (globs such as `job.*`; None: all), without end.

    `after`: an event's id or its sequence number; None: from now on. `ticks`: pass on signals
    without a row too. Raises BadId.
    """
    wanted = _matcher(globs)
    # Asked before the hub, whose own position may lag behind what is committed already
    head = await feed.head()
    async with hub.subscribe(lambda s: s.seq is not None or (ticks and wanted(s.type))) as live:
        if isinstance(after, int):
            cursor = after
        elif after is None:
            cursor = head
        else:
            event = await feed.find(after)
            if event is None:
                # The present state, which is now read, tells all up to the last event
                last = await feed.latest(1)
                cursor = last[0].seq if last else head
                yield EventGap(after, last[0].id if last else after, "not-held")
            else:
                cursor = event.seq
        last_id = after if isinstance(after, str) else None
        while True:
            stretch = await feed.stretch(cursor, BATCH)
            rows = stretch.rows
            if stretch.cut:
                yield EventGap(last_id, rows[0].id, "trimmed")
            for row in rows:
                cursor, last_id = row.seq, row.id
                if wanted(row.type):
                    yield row
            if len(rows) == BATCH:
                continue
            async for signal in live:
                if isinstance(signal, Gap) or (signal.seq is not None and signal.seq > cursor):
                    break
                if signal.seq is None:
                    yield signal
            else:
                return


def _matcher(globs: Sequence[str] | None) -> Callable[[str], bool]:
    if globs is None:
        return lambda _type: True
    return lambda type_: any(fnmatchcase(type_, glob) for glob in globs)
