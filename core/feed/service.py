"""Appending to the event log and reading it back.

The log is the rows; the stream that carries signals of them is only transport, so this is also the
history that the event hub of each process compares itself with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from core import ids
from core.clock import now
from core.errors import NotFound
from core.feed import repository
from core.feed.entity import Event
from core.feed.kinds import EventType
from core.paging import Page
from infra.bus.signal import Signal
from infra.db.store import Store, Tx


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What a noun says happened. `detail` has the camel-case keys that clients see
    (docs/events.md).
    """

    type: EventType
    subject_id: str | None
    detail: dict[str, Any]


def append(tx: Tx, event: NewEvent) -> None:
    """Writes the event at the end of the transaction that makes it true, and signals it after
    the commit.
    """
    row = Event(
        seq=0,
        id=ids.new(ids.Prefix.EVENT),
        type=event.type,
        at=now(),
        subject_id=event.subject_id,
        detail=event.detail,
    )
    tx.before_commit.append(partial(_write, row))


def _write(row: Event, tx: Tx) -> None:
    seq = repository.insert_next(tx, row)
    tx.outbox.signals.append(_signal(row, seq))


def _signal(row: Event, seq: int) -> Signal:
    return Signal(type=row.type, subject=row.subject_id, seq=seq, event_id=row.id)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events that follow each other, ascending. `cut`: others came first and were removed; samples
    that were removed alone do not count.
    """

    rows: Sequence[Event]
    cut: bool


class Feed:
    """Reads of the log. Implements the history that `infra.bus.eventhub` asks for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def head(self) -> int:
        return await self._store.read(repository.head)

    async def after(self, seq: int, limit: int) -> list[Signal]:
        return [_signal(row, row.seq) for row in await self.rows_after(seq, limit)]

    async def rows_after(self, seq: int, limit: int) -> Sequence[Event]:
        """Ascending events with a higher sequence number, at most `limit`."""
        return (await self.stretch(seq, limit)).rows

    async def stretch(self, seq: int, limit: int) -> Stretch:
        """What the log holds after `seq`, at most `limit` events."""
        return Stretch(*await self._store.read(repository.after, seq, limit))

    async def trimmed(self) -> int:
        """The last number of the removed beginning of the log; 0: nothing is removed."""
        return await self._store.read(repository.trimmed)

    async def latest(self, limit: int, *, globs: Sequence[str] | None = None) -> Sequence[Event]:
        """The last events of these types (None: all) that are not samples, oldest first."""
        return await self._store.read(repository.latest, limit, globs)

    async def find(self, event_id: str) -> Event | None:
        """The event, or None where it is unknown or no longer held. Raises BadId."""
        return await self._store.read(repository.find, ids.parse(event_id, ids.Prefix.EVENT))

    async def page(
        self, *, globs: Sequence[str] | None, since: datetime | None, first: int, after: str | None
    ) -> Page[Event]:
        """Events that follow the event `after` (and `since`), else the last ones; oldest first.

        Raises BadId, and NotFound where the event `after` is no longer held.
        """
        after_seq = None
        if after is not None:
            event = await self.find(after)
            if event is None:
                raise _not_held(after)
            after_seq = event.seq
        rows = await self._store.read(
            repository.listed, globs=globs, since=since, after_seq=after_seq, limit=first + 1
        )
        if after_seq is not None and await self.trimmed() > after_seq:
            raise _not_held(after)  # the log was trimmed between the two looks
        surplus = len(rows) > first
        # Without a lower bound the surplus row is the oldest one, with one it is the newest.
        newest = after_seq is None and since is None
        kept = rows[-first:] if newest else rows[:first]
        return Page(
            kept,
            [row.id for row in kept],
            has_next=surplus and not newest,
            has_previous=(surplus and newest) or after is not None,
        )


def _not_held(after: str | None) -> NotFound:
    return NotFound(f"{after} is no longer held", hint="read without `after`")
