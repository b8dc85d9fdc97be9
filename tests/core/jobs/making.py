"""Jobs for tests: put, taken, looked at, and made older than they are."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from core.errors import ErrorCode
from core.feed.entity import Event
from core.ids import JobId
from core.jobs import claim
from core.jobs.entity import Job, JobError
from core.jobs.kinds import JobKind
from core.jobs.service import NewFile, NewJob, queue
from core.principal import Principal, Scope
from infra.db.store import Store, Tx
from infra.db.types import db_now
from infra.settings import Jobs as JobSettings

ANN = Principal("tok_ann", "ann", frozenset({Scope.WRITE}))
TTL_S = 60.0
BROKEN = JobError(ErrorCode.UNAVAILABLE, "the hub is away", "wait", retryable=True)
FILES = (NewFile("a.bin", 60, "blob_a", None), NewFile("b.bin", 40, "blob_b", "b" * 64))


def put_in(tx: Tx, settings: JobSettings, **changes: Any) -> Job:
    values = {
        "kind": JobKind.WEIGHTS_INSTALL,
        "input": {"target": "a"},
        "requested_by": "ann",
        "bytes_total": 100,
        "reserved_bytes": 100,
        **changes,
    }
    return queue(tx, NewJob(**values), settings)


class CountingStore(Store):
    """Counts its write transactions."""

    writes = 0

    async def write(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.writes += 1
        return await super().write(fn, *args, **kwargs)


async def put(store: Store, *, settings: JobSettings | None = None, **changes: Any) -> Job:
    """A new pending job."""
    return await store.write(put_in, settings or JobSettings(), **changes)


async def take(store: Store, owner: str = "w1", *, ttl_s: float = TTL_S) -> Job | None:
    """The most urgent job that is due, for this worker."""
    return await store.write(claim.claim, owner=owner, lease_ttl_s=ttl_s)


async def taken(store: Store, owner: str = "w1", **changes: Any) -> Job:
    """A job that runs on a worker."""
    await put(store, **changes)
    job = await take(store, owner)
    assert job is not None
    return job


async def row(store: Store, job_id: str) -> Job:
    return await store.read(lambda tx: tx.session.get_one(Job, job_id))


def columns(job: Job) -> dict[str, Any]:
    """Everything the row holds."""
    return {column.key: getattr(job, column.key) for column in Job.__table__.columns}


async def events(store: Store, *, but: Sequence[str] = ()) -> list[str]:
    """The types in the log, in order."""
    query = select(Event.type).where(Event.type.not_in(but)).order_by(Event.seq)
    return list(await store.read(lambda tx: tx.session.scalars(query).all()))


async def last_event(store: Store) -> Event:
    query = select(Event).order_by(Event.seq.desc()).limit(1)
    return await store.read(lambda tx: tx.session.scalars(query).one())


def _set(tx: Tx, job_id: str, values: dict[str, Any]) -> None:
    tx.session.execute(update(Job).where(Job.id == job_id).values(values))


async def expired(store: Store, job_id: str) -> None:
    """As if its worker had not renewed the lease for long."""
    await store.write(_set, job_id, {"lease_until": db_now(-1)})


async def changed(store: Store, job_id: JobId, **values: Any) -> None:
    """Columns as they would be after some time."""
    await store.write(_set, job_id, values)
