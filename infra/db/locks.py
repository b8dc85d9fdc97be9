"""Leases by name: of several processes that could do something, one at a time does it.

A dead owner is replaced once its time is over, by the database's clock. Refuses to trust an owner
that was asleep: hold the lease again in the transaction of each step, and a step of an owner that
was replaced meanwhile is rolled back.
"""

from datetime import datetime

from sqlalchemy import String, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from infra.db.base import Base
from infra.db.store import Tx
from infra.db.types import UtcDateTime, db_now


class Lease(Base, kw_only=True):
    """Who does what `name` says, and until when nobody else may."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class LeaseLost(Exception):
    """Another owner has the lease: this one does nothing more."""


def hold(tx: Tx, name: str, *, owner: str, ttl_s: float) -> bool:
    """Takes the lease, or renews it; False while another owner has it.

    One statement, so that of two that try at once one wins.
    """
    on_sqlite = tx.session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert if on_sqlite else postgresql.insert
    mine = insert(Lease).values(name=name, owner=owner, until=db_now(ttl_s))
    free = (Lease.owner == owner) | (Lease.until < db_now())
    held = mine.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={"owner": mine.excluded.owner, "until": mine.excluded.until},
        where=free,
    ).returning(Lease.owner)
    return tx.session.execute(held).scalar_one_or_none() is not None


def require(tx: Tx, name: str, *, owner: str, ttl_s: float) -> None:
    """As `hold`, and raises LeaseLost instead: first in a transaction that only the owner may
    commit.
    """
    if not hold(tx, name, owner=owner, ttl_s=ttl_s):
        raise LeaseLost(name)


def release(tx: Tx, name: str, *, owner: str) -> None:
    """Lets go, so that nobody has to wait for the end of the lease; fine where it is not held."""
    tx.session.execute(delete(Lease).where(Lease.name == name, Lease.owner == owner))
