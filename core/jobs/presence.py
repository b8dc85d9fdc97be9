"""Which workers are there: a row each, renewed with the leases."""

from collections.abc import Collection

from sqlalchemy import delete, func, select, update

from core.jobs.claim import renew
from core.jobs.entity import Worker
from infra.db.store import Tx
from infra.db.types import db_now


def arrive(tx: Tx, owner: str, *, lease_ttl_s: float) -> None:
    """Adds the worker's row, and removes those of workers that have been gone for a while."""
    tx.session.execute(delete(Worker).where(Worker.alive_until < db_now(-60)))
    started_at, alive_until = tx.session.execute(select(db_now(), db_now(lease_ttl_s))).one()
    tx.session.add(Worker(id=owner, started_at=started_at, alive_until=alive_until))


def beat(tx: Tx, owner: str, job_ids: Collection[str], *, lease_ttl_s: float) -> dict[str, int]:
    """Renews the worker's row and the leases of its jobs; those it still owns, with their
    epochs.
    """
    renewed = tx.session.execute(
        update(Worker)
        .where(Worker.id == owner)
        .values(alive_until=db_now(lease_ttl_s))
        .returning(Worker.id)
    ).one_or_none()
    if renewed is None:  # removed while this process was stopped or the database was away
        arrive(tx, owner, lease_ttl_s=lease_ttl_s)
    return renew(tx, job_ids, owner=owner, lease_ttl_s=lease_ttl_s)


def leave(tx: Tx, owner: str) -> None:
    tx.session.execute(delete(Worker).where(Worker.id == owner))


def alive(tx: Tx) -> int:
    """How many workers have beaten within their lease."""
    query = select(func.count()).select_from(Worker).where(Worker.alive_until > db_now())
    return int(tx.session.execute(query).scalar_one())
