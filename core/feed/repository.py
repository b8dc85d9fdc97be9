"""SQL of the event log."""

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from sqlalchemy import insert, select, update

from core.feed.entity import Event, FeedHead
from core.feed.kinds import SAMPLES, EventType
from infra.db.store import Tx


def insert_next(tx: Tx, event: Event) -> int:
    """Gives the event the next sequence number and inserts it.

    The head row stays locked until the commit, which is what makes `seq` order equal commit order,
    without holes after roll-backs. So this must be the last statement of its transaction.
    """
    seq = tx.session.execute(
        update(FeedHead)
        .where(FeedHead.id == 1)
        .values(seq=FeedHead.seq + 1)
        .returning(FeedHead.seq)
    ).scalar_one()
    event.seq = seq
    tx.session.execute(
        insert(Event).values(
            seq=seq,
            id=event.id,
            type=event.type,
            at=event.at,
            subject_id=event.subject_id,
            detail=event.detail,
        )
    )
    return seq


def head(tx: Tx) -> int:
    return tx.session.execute(select(FeedHead.seq).where(FeedHead.id == 1)).scalar_one()


def find(tx: Tx, event_id: str) -> Event | None:
    return tx.session.execute(select(Event).where(Event.id == event_id)).scalar_one_or_none()


def after(tx: Tx, seq: int, limit: int) -> Sequence[Event]:
    """Ascending events with a higher sequence number."""
    query = select(Event).where(Event.seq > seq).order_by(Event.seq).limit(limit)
    return tx.session.scalars(query).all()


def latest(tx: Tx, limit: int, globs: Sequence[str] | None) -> Sequence[Event]:
    """The last events of these types that are not samples, oldest first."""
    query = select(Event).where(Event.type.not_in(SAMPLES)).order_by(Event.seq.desc()).limit(limit)
    if globs is not None:
        query = query.where(Event.type.in_(matching(globs)))
    return tx.session.scalars(query).all()[::-1]


def listed(
    tx: Tx,
    *,
    globs: Sequence[str] | None,
    since: datetime | None,
    after_seq: int | None,
    limit: int,
) -> Sequence[Event]:
    """Events of the given types, oldest first: those that follow `after_seq` or `since`, else
    the last ones.
    """
    query = select(Event)
    if globs is not None:
        query = query.where(Event.type.in_(matching(globs)))
    if after_seq is not None:
        query = query.where(Event.seq > after_seq)
    if since is not None:
        query = query.where(Event.at >= since)
    if after_seq is None and since is None:
        return tx.session.scalars(query.order_by(Event.seq.desc()).limit(limit)).all()[::-1]
    return tx.session.scalars(query.order_by(Event.seq).limit(limit)).all()


def matching(globs: Sequence[str]) -> list[str]:
    """The known event types that any of the globs (`job.*`) names."""
    return [t for t in EventType if any(fnmatchcase(t, glob) for glob in globs)]
