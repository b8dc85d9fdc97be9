"""Installing weights, and reading what is installed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core import ids
from core.errors import AlreadyExists, Conflict, DomainError, Invalid, NotFound
from core.feed.service import append
from core.hub.service import Hub
from core.ids import WeightsId
from core.jobs import service as jobs
from core.jobs.entity import Job
from core.jobs.kinds import JobKind
from core.paging import Page, decode, page
from core.principal import Principal
from core.weights import events, plan, repository
from core.weights.entity import Weights, WeightsFile
from core.weights.volume import (
    DEFAULT_LOCATION,
    ELSEWHERE,
    StorageUsage,
    Volume,
    check_space,
    nested,
    parse_target,
)
from infra.db.store import Store, Tx
from infra.hub.client import HubSnapshot
from infra.settings import Jobs as JobSettings


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What a caller wants installed. None: the default branch; the repository's name as target;
    every file.
    """

    hub_repo: str
    revision: str | None = None
    location: str = DEFAULT_LOCATION
    target: str | None = None
    allow: Sequence[str] | None = None
    ignore: Sequence[str] | None = None
    overwrite: bool = False
    priority: int = 0
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Install:
    """An accepted request. `joined`: an equal install was running already, and this is its job."""

    job: Job
    storage_uri: str
    inference_model_path: str
    joined: bool


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file as it lies in place, with the digest of the bytes that were written."""

    path: str
    size_bytes: int
    sha256: str


class WeightsService:
    def __init__(self, store: Store, hub: Hub, volume: Volume, job_settings: JobSettings) -> None:
        self._store = store
        self._hub = hub
        self.volume = volume
        self._job_settings = job_settings

    async def install(self, request: InstallRequest, by: Principal) -> Install:
        """Pins the commit, checks access, target and space, and queues the job.

        Nothing is written below the root. Raises Invalid, NotFound, Gated, AlreadyExists, Conflict,
        NoSpace, Unavailable.
        """
        _check(request)
        target = parse_target(request.target or request.hub_repo)
        earlier = await self._asked_before(request)
        if earlier is not None:
            return earlier
        snapshot = await self._hub.snapshot(request.hub_repo, request.revision)
        files = plan.select(snapshot.files, allow=request.allow, ignore=request.ignore)
        await self._hub.check_access(snapshot, max(files, key=lambda f: f.size_bytes))
        wanted = _input(request, snapshot, target)
        new = jobs.NewJob(
            kind=JobKind.WEIGHTS_INSTALL,
            input=wanted,
            requested_by=by.name,
            dedupe_key=_lock(request.location, target),
            idempotency_key=request.idempotency_key,
            priority=request.priority,
            reserved_bytes=sum(f.size_bytes for f in files),
            bytes_total=sum(f.size_bytes for f in files),
            files=[jobs.NewFile(f.path, f.size_bytes, f.blob_id, f.sha256) for f in files],
        )
        try:
            return await self._queue(new, target=target, overwrite=request.overwrite)
        except (AlreadyExists, Conflict):
            # What is in the way may be the job of this very call, which was made before and was
            # still under way when this one began.
            earlier = await self._asked_before(request)
            if earlier is None:
                raise
            return earlier

    async def _asked_before(self, request: InstallRequest) -> Install | None:
        if request.idempotency_key is None:
            return None
        job = await self._store.read(jobs.by_idempotency_key, request.idempotency_key)
        return None if job is None else self._accepted(job, joined=False)

    async def _queue(self, new: jobs.NewJob, *, target: str, overwrite: bool) -> Install:
        joined = await self._store.read(_look, new, target)
        if joined is not None:
            return self._accepted(joined, joined=True)
        await asyncio.to_thread(self.volume.check_target, target, overwrite=overwrite)
        space = await asyncio.to_thread(self.volume.space)

        def transaction(tx: Tx) -> tuple[Job, bool]:
            if new.idempotency_key is not None:
                earlier = jobs.by_idempotency_key(tx, new.idempotency_key)
                if earlier is not None:
                    return earlier, False
            running = _joined(tx, new)
            if running is not None:
                return running, True
            _check_neighbours(tx, new, target)
            if not overwrite and repository.at(tx, new.input["location"], target) is not None:
                hint = "install with overwrite, or choose another target"
                raise AlreadyExists(f"{target!r} is installed already", field=["target"], hint=hint)
            check_space(
                space, wanted_bytes=new.reserved_bytes, reserved_bytes=jobs.reserved_bytes(tx)
            )
            return jobs.queue(tx, new, self._job_settings), False

        job, was_running = await self._store.write(transaction)
        return self._accepted(job, joined=was_running)

    def _accepted(self, job: Job, *, joined: bool) -> Install:
        target = str(job.input["target"])
        return Install(
            job,
            self.volume.storage_uri(target),
            self.volume.inference_model_path(target),
            joined,
        )

    async def check_space(self, job: Job) -> None:
        """Raises NoSpace where what is left of a running install does not fit any more."""
        space = await asyncio.to_thread(self.volume.space)
        staged = await asyncio.to_thread(self.volume.staging_bytes, job.id)
        reserved = await self._store.read(jobs.reserved_bytes, but_for=job.id)
        wanted = max(0, job.reserved_bytes - staged)
        check_space(space, wanted_bytes=wanted, reserved_bytes=reserved)

    def installed(self, tx: Tx, job: Job, files: Sequence[InstalledFile]) -> Weights:
        """Indexes what the job has published and says so in the feed; part of the transaction
        that completes the job.
        """
        at = jobs.database_time(tx)
        wanted = job.input
        before = repository.at(tx, wanted["location"], wanted["target"])
        weights = Weights(
            id=before.id if before else WeightsId(ids.new(ids.Prefix.WEIGHTS)),
            location=wanted["location"],
            path=wanted["target"],
            hub_repo=wanted["hubRepo"],
            revision=wanted["revision"],
            requested_revision=wanted["requestedRevision"],
            size=sum(f.size_bytes for f in files),
            file_count=len(files),
            license=wanted["license"],
            installed_at=at,
            verified_at=at,
            install_job_id=job.id,
        )
        rows = [
            WeightsFile(
                weights_id=weights.id,
                path=f.path,
                size=f.size_bytes,
                sha256=f.sha256,
                verified=True,
            )
            for f in files
        ]
        repository.put(tx, weights, rows)
        append(
            tx,
            events.installed(
                weights,
                storage_uri=self.volume.storage_uri(weights.path),
                inference_model_path=self.volume.inference_model_path(weights.path),
            ),
        )
        return weights

    async def get(self, weights_id: str) -> Weights | None:
        """Raises BadId."""
        return await self._store.read(repository.get, ids.parse(weights_id, ids.Prefix.WEIGHTS))

    async def at(self, location: str, path: str) -> Weights | None:
        """None also for what can be no path or no location."""
        try:
            _check_location(location)
            path = parse_target(path)
        except DomainError:
            return None
        return await self._store.read(repository.at, location, path)

    async def page(self, location: str | None, *, first: int, after: str | None) -> Page[Weights]:
        """By path. Raises BadCursor, and NotFound for a location that does not exist."""
        if location is not None:
            _check_location(location)
        after_path = None if after is None else decode(after)
        rows = await self._store.read(
            repository.listed, location, limit=first + 1, after_path=after_path
        )
        return page(rows, first=first, after=after, key=lambda w: w.path)

    async def totals(self, location: str | None) -> tuple[int, int]:
        """How many weights there are, and their bytes."""
        return await self._store.read(repository.totals, location)

    async def files(self, weights_id: str, *, first: int, after: str | None) -> Page[WeightsFile]:
        """By path. Raises BadCursor."""
        after_path = None if after is None else decode(after)
        rows = await self._store.read(
            repository.files, weights_id, limit=first + 1, after_path=after_path
        )
        return page(rows, first=first, after=after, key=lambda f: f.path)

    async def storage(self, location: str) -> StorageUsage:
        """Raises NotFound for a location that does not exist, Unavailable for one that is gone."""
        _check_location(location)
        space = await asyncio.to_thread(self.volume.space)
        staging = await asyncio.to_thread(self.volume.staging_bytes)
        _count, used = await self.totals(location)
        return StorageUsage(
            location=location,
            root=str(self.volume.root),
            capacity=space.capacity,
            available=space.available,
            used=used,
            reserved=await self._store.read(jobs.reserved_bytes),
            staging=staging,
        )


def _check(request: InstallRequest) -> None:
    plan.check_repo(request.hub_repo)
    plan.check_revision(request.revision)
    _check_location(request.location)
    if not -100 <= request.priority <= 100:
        raise Invalid("the priority is between -100 and 100", field=["priority"])
    key = request.idempotency_key
    if key is not None and not (1 <= len(key) <= 200 and key.isprintable()):
        raise Invalid("the key has 1 to 200 printable characters", field=["idempotencyKey"])


def _check_location(location: str) -> None:
    if location != DEFAULT_LOCATION:
        hint = f"there is one: {DEFAULT_LOCATION}"
        raise NotFound(f"there is no location {location!r}", field=["location"], hint=hint)


def _input(request: InstallRequest, snapshot: HubSnapshot, target: str) -> dict[str, Any]:
    return {
        "hubRepo": snapshot.repo,
        "revision": snapshot.revision,
        "requestedRevision": request.revision,
        "location": request.location,
        "target": target,
        "allow": None if request.allow is None else list(request.allow),
        "ignore": None if request.ignore is None else list(request.ignore),
        "overwrite": request.overwrite,
        "license": snapshot.license,
    }


def _lock(location: str, target: str) -> str:
    return f"weights:{location}:{target}"


def _joined(tx: Tx, new: jobs.NewJob) -> Job | None:
    """The running job that does just what the new one would; raises Conflict for one that does
    something else.
    """
    assert new.dedupe_key is not None  # noqa: S101 — set by install()
    holder = jobs.holding(tx, new.dedupe_key)
    if holder is None:
        return None
    same = {**holder.input, "requestedRevision": None} == {**new.input, "requestedRevision": None}
    if same and not holder.state.terminal:
        return holder
    raise Conflict(
        f"the job {holder.id} works on {new.input['target']!r}",
        field=["target"],
        hint="wait for it, cancel it, or choose another target",
    )


def _look(tx: Tx, new: jobs.NewJob, target: str) -> Job | None:
    """What can be said before the disk is asked: an equal job that runs, or a conflict."""
    running = _joined(tx, new)
    if running is None:
        _check_neighbours(tx, new, target)
    return running


def _check_neighbours(tx: Tx, new: jobs.NewJob, target: str) -> None:
    location = new.input["location"]
    prefix = _lock(location, "")
    locked = [key.removeprefix(prefix) for key in jobs.held(tx, prefix)]
    other = nested(target, [*repository.paths(tx, location), *locked])
    if other is not None:
        message = f"{target!r} and {other!r} would lie inside each other"
        raise Conflict(message, field=["target"], hint=ELSEWHERE)
