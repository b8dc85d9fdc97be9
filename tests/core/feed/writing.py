"""Writing events for tests, and reading them back."""

from sqlalchemy import select

from core.feed.entity import Event
from core.feed.kinds import EventType
from core.feed.repository import delete_beginning
from core.feed.service import NewEvent, append
from infra.db.store import Store, Tx

PENDING, LOG = EventType.JOB_PENDING, EventType.JOB_LOG


def say(tx: Tx, *subjects: str, type: EventType = PENDING) -> None:
    for subject in subjects:
        append(tx, NewEvent(type, subject, {"said": subject}))


def rows(tx: Tx) -> list[Event]:
    return list(tx.session.scalars(select(Event).order_by(Event.seq)))


async def subjects(store: Store) -> list[tuple[int, str | None]]:
    return [(row.seq, row.subject_id) for row in await store.read(rows)]


def trim(tx: Tx, *, to_seq: int) -> None:
    """As the trimming of old events does."""
    delete_beginning(tx, to_seq)
