"""SQL of the index of weights."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, select

from core.weights.entity import Weights, WeightsFile
from infra.db.store import Tx


def get(tx: Tx, weights_id: str) -> Weights | None:
    return tx.session.get(Weights, weights_id)


def at(tx: Tx, location: str, path: str) -> Weights | None:
    query = select(Weights).where(Weights.location == location, Weights.path == path)
    return tx.session.scalars(query).one_or_none()


def paths(tx: Tx, location: str) -> Sequence[str]:
    return tx.session.scalars(select(Weights.path).where(Weights.location == location)).all()


def listed(
    tx: Tx, location: str | None, *, limit: int, after_path: str | None
) -> Sequence[Weights]:
    """By path."""
    query = select(Weights).where(*_in(location)).order_by(Weights.path, Weights.id).limit(limit)
    if after_path is not None:
        query = query.where(Weights.path > after_path)
    return tx.session.scalars(query).all()


def totals(tx: Tx, location: str | None) -> tuple[int, int]:
    """How many, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(Weights.size), 0)).where(*_in(location))
    count, size = tx.session.execute(query).one()
    return int(count), int(size)


def files(tx: Tx, weights_id: str, *, limit: int, after_path: str | None) -> Sequence[WeightsFile]:
    """By path."""
    query = (
        select(WeightsFile)
        .where(WeightsFile.weights_id == weights_id)
        .order_by(WeightsFile.path)
        .limit(limit)
    )
    if after_path is not None:
        query = query.where(WeightsFile.path > after_path)
    return tx.session.scalars(query).all()


def put(tx: Tx, weights: Weights, weights_files: Sequence[WeightsFile]) -> None:
    """Inserts the weights in place of what was at the same location and path."""
    tx.session.execute(
        delete(Weights).where(Weights.location == weights.location, Weights.path == weights.path)
    )
    tx.session.add(weights)
    tx.session.flush()
    tx.session.add_all(weights_files)


def _in(location: str | None) -> list[ColumnElement[bool]]:
    return [] if location is None else [Weights.location == location]
