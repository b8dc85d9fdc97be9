"""Rows of the event log, and the head row that orders them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from infra.db.base import Base
from infra.db.types import UtcDateTime


class Event(Base, kw_only=True):
    """Something that happened. `seq` is given out without holes and equals commit order; the id is
    what the outside resumes after. Retention removes the beginning of the log, and samples.
    """

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_type_at", "type", "at"),)  # which samples are old

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    type: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    subject_id: Mapped[str | None] = mapped_column(String(128), index=True)
    detail: Mapped[dict[str, Any]]


class FeedHead(Base, kw_only=True):
    """One row: the last sequence number given out. Updating it serialises commits that carry
    events.

    `trimmed_seq`: the last number whose event was removed with all before it; 0: none. A hole above
    it is a sample that was removed alone, and nobody is told of it.
    """

    __tablename__ = "feed_head"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    trimmed_seq: Mapped[int] = mapped_column(BigInteger, default=0)
