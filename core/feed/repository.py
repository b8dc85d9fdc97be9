"""SQL of the event log."""

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from sqlalchemy import delete, insert, select, update

from core.feed.entity import Event, FeedHead
from core.feed.kinds import SAMPLES, EventType
from infra.db.store import Tx
from infra.db.types import db_now


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


def trimmed(tx: Tx) -> int:
    """The last number of the removed beginning of the log; 0: nothing is removed."""
    return tx.session.execute(select(FeedHead.trimmed_seq).where(FeedHead.id == 1)).scalar_one()


def after(tx: Tx, seq: int, limit: int) -> tuple[Sequence[Event], bool]:
    """Ascending events with a higher sequence number, and whether some of those that followed
    `seq` are removed, samples aside.

    One statement: on Postgres the next one could see the log after a trimming.
    """
    cut = select(FeedHead.trimmed_seq).where(FeedHead.id == 1).scalar_subquery()
    query = select(Event, cut).where(Event.seq > seq).order_by(Event.seq).limit(limit)
    found = tx.session.execute(query).all()
    return [row[0] for row in found], bool(found) and found[0][1] > seq


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


def old_samples(tx: Tx, *, keep_s: float, limit: int) -> Sequence[int]:
    """The numbers of samples older than that."""
    cutoff = tx.session.execute(select(db_now(-keep_s))).scalar_one()
    query = select(Event.seq).where(Event.type.in_(SAMPLES), Event.at < cutoff).limit(limit)
    return tx.session.scalars(query).all()


def delete_samples(tx: Tx, seqs: Sequence[int]) -> int:
    """Removes them wherever they are in the log, which no reader is told; how many."""
    gone = delete(Event).where(Event.seq.in_(seqs)).returning(Event.seq)
    return len(tx.session.scalars(gone).all())


def surplus(tx: Tx, *, keep_rows: int) -> int:
    """The last number that is too many where that many events are kept; 0: none is."""
    last, cut = tx.session.execute(select(FeedHead.seq, FeedHead.trimmed_seq)).one()
    if last - cut <= keep_rows:  # there are not so many: spares the count
        return 0
    query = select(Event.seq).order_by(Event.seq.desc()).offset(keep_rows).limit(1)
    return tx.session.execute(query).scalar_one_or_none() or 0


def removable(tx: Tx, *, keep_s: float | None, surplus_to: int, limit: int) -> int:
    """How far the first events of the log may go, at most `limit` of them: each is older than that
    (None: of any age they stay) or not beyond `surplus_to`. 0: none may.

    An event that is younger keeps all that follow it, whatever their clocks say.
    """
    cutoff = None if keep_s is None else tx.session.execute(select(db_now(-keep_s))).scalar_one()
    query = select(Event.seq, Event.at).order_by(Event.seq).limit(limit)
    to_seq = 0
    for seq, at in tx.session.execute(query):
        if seq > surplus_to and (cutoff is None or at >= cutoff):
            break
        to_seq = seq
    return to_seq


def delete_beginning(tx: Tx, to_seq: int) -> int:
    """Removes every event up to the number, and notes in the head row that they are gone; how
    many.

    The head row comes last: writers of events wait for it.
    """
    gone = tx.session.scalars(delete(Event).where(Event.seq <= to_seq).returning(Event.seq)).all()
    if gone:
        tx.session.execute(update(FeedHead).values(trimmed_seq=max(gone)))
    return len(gone)


def matching(globs: Sequence[str]) -> list[str]:
    """The known event types that any of the globs (`job.*`) names."""
    return [t for t in EventType if any(fnmatchcase(t, glob) for glob in globs)]
