"""Rows of the event log, and the head row that orders them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from infra.db.base import Base
from infra.db.types import UtcDateTime


class Event(Base, kw_only=True):
    """Something that happened. `seq` is gapless and equals commit order; the id is what the
    outside resumes after.
    """

    __tablename__ = "events"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    type: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    subject_id: Mapped[str | None] = mapped_column(String(128), index=True)
    detail: Mapped[dict[str, Any]]


class FeedHead(Base, kw_only=True):
    """One row: the last sequence number given out. Updating it serialises commits that carry
    events.
    """

    __tablename__ = "feed_head"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
