"""Fetches the files of a pinned commit into staging, verified, and publishes them in one step.

Safe to run again at any point: files that are in staging are used, and a folder that this job has
published already is only indexed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.errors import NoSpace
from core.hub.service import domain_error
from core.jobs.entity import Job, JobFile
from core.jobs.kinds import JobFileState, LogLevel
from core.jobs.service import Jobs
from core.weights.service import InstalledFile, WeightsService
from core.weights.volume import Volume
from infra.db.store import Tx
from infra.files import is_full
from infra.hub.errors import DiskFull, HubError, TransferStopped
from infra.hub.snapshot import HubFile
from infra.hub.transfer.engine import transfer
from infra.hub.transfer.plan import TransferPlan
from jobs.context import Done, TaskContext

# Small files are many and quick: only the others get a line each.
LOGGED_FILE_BYTES = 1 << 20


async def run(ctx: TaskContext) -> Done:
    """Raises DomainError, Fenced, OSError."""
    volume, target = ctx.services.weights.volume, str(ctx.job.input["target"])
    published = await ctx.blocking(_published, volume, target, ctx.job.id)
    if published is None:
        async with _told_when_full(ctx, target):
            published = await _install(ctx, volume, target)
    else:
        ctx.log("an earlier attempt has published the files", stage="publishing")
    return _done(ctx, target, published)


async def cleanup(ctx: TaskContext) -> None:
    await ctx.blocking(ctx.services.weights.volume.discard, ctx.job.id)


async def undo(ctx: TaskContext) -> None:
    """A cancel may come between the rename and the end of the job: then the folder goes again."""
    volume, target = ctx.services.weights.volume, str(ctx.job.input["target"])
    await ctx.blocking(volume.take_back, target, ctx.job.id)
    await cleanup(ctx)


async def _install(ctx: TaskContext, volume: Volume, target: str) -> list[InstalledFile]:
    overwrite = bool(ctx.job.input["overwrite"])
    files = await _files(ctx.services.jobs, ctx.job)
    older = ctx.job.retry_of_id
    if older is not None:  # its worker may have died between the rename and the end of the job
        await ctx.blocking(volume.take_back, target, older)
    await ctx.blocking(volume.check_target, target, overwrite=overwrite)
    if older is not None and await ctx.blocking(volume.adopt, older, ctx.job.id):
        ctx.log(f"going on from what {older} has fetched", stage="downloading")
    await ctx.services.weights.check_space(ctx.job)
    ctx.meter.stage("downloading")
    repo, revision = ctx.job.input["hubRepo"], ctx.job.input["revision"]
    ctx.log(f"{len(files)} files of {repo} at {revision}", stage="downloading")
    staged = volume.staging_folder(ctx.job.id)
    observer = Observer(ctx, {f.path: f.size_bytes for f in files}, {})
    try:
        plan = _plan(ctx, files)
        await ctx.blocking(transfer, plan, staged, observer, ctx.stop, owned=ctx.owned)
    except TransferStopped:
        ctx.guard()
        raise
    except DiskFull:
        raise
    except HubError as e:
        raise domain_error(e) from e
    ctx.meter.stage("publishing")
    installed = observer.installed()
    await ctx.blocking(volume.write_manifest, staged, _manifest(ctx.job, installed))
    ctx.guard()
    await ctx.blocking(volume.publish, staged, target, overwrite=overwrite)
    ctx.log(
        f"published {len(installed)} verified files at {volume.root / target}", stage="publishing"
    )
    return installed


@asynccontextmanager
async def _told_when_full(ctx: TaskContext, target: str) -> AsyncIterator[None]:
    """Raises NoSpace with the numbers where others have filled the volume meanwhile."""
    try:
        yield
    except DiskFull as e:
        raise await _no_space(ctx, str(e)) from e
    except OSError as e:
        if not is_full(e):
            raise
        # The step after the rename may have failed: a retry shall find everything in staging
        await ctx.blocking(ctx.services.weights.volume.take_back, target, ctx.job.id)
        raise await _no_space(ctx, f"no room for {target}: {e.strerror}") from e


async def _no_space(ctx: TaskContext, what: str) -> NoSpace:
    volume = ctx.services.weights.volume
    space = await ctx.blocking(volume.space)
    left = max(0, ctx.job.reserved_bytes - await ctx.blocking(volume.staging_bytes, ctx.job.id))
    return NoSpace(
        f"{what}; {left} bytes more are needed, and {space.available} of {space.capacity} are free"
        f" at {volume.root}",
        hint="free space on the volume, then retry the job: it goes on from what it has",
    )


async def _files(jobs: Jobs, job: Job) -> list[HubFile]:
    rows: list[JobFile] = await jobs.all_files(job.id)
    return [HubFile(f.path, f.bytes_total, f.sha256, f.blob_id) for f in rows]


def _plan(ctx: TaskContext, files: list[HubFile]) -> TransferPlan:
    hub = ctx.services.settings.hub
    return TransferPlan(
        endpoint=hub.endpoint,
        token=hub.token,
        repo=ctx.job.input["hubRepo"],
        revision=ctx.job.input["revision"],
        files=tuple(files),
        parallel_files=hub.parallel_files,
        connections=hub.connections,
        max_connections=hub.max_connections,
        timeout_s=hub.timeout_s,
    )


@dataclass(slots=True)
class Observer:
    """Counts for the meter and remembers digests; called from the threads of the transfer."""

    ctx: TaskContext
    sizes: dict[str, int]
    digests: dict[str, str]

    def file_started(self, path: str) -> None:
        self.ctx.meter.mark(path, JobFileState.RUNNING)

    def advanced(self, path: str, bytes_delta: int) -> None:
        self.ctx.meter.add(path, bytes_delta)

    def file_verified(self, path: str, sha256: str) -> None:
        self.digests[path] = sha256
        self.ctx.meter.mark(path, JobFileState.VERIFIED)
        if self.sizes[path] >= LOGGED_FILE_BYTES:
            self.ctx.log(f"verified {path}, sha256 {sha256}", stage="downloading")

    def retried(self, path: str, reason: str, delay_s: float) -> None:
        text = f"{path}: {reason}; trying again in {delay_s:.1f} s"
        self.ctx.log(text, LogLevel.WARNING, stage="downloading")

    def installed(self) -> list[InstalledFile]:
        return [InstalledFile(p, self.sizes[p], self.digests[p]) for p in sorted(self.sizes)]


def _manifest(job: Job, files: list[InstalledFile]) -> dict[str, Any]:
    return {
        "jobId": job.id,
        "hubRepo": job.input["hubRepo"],
        "revision": job.input["revision"],
        "license": job.input["license"],
        "files": [{"path": f.path, "size": f.size_bytes, "sha256": f.sha256} for f in files],
    }


def _published(volume: Volume, target: str, job_id: str) -> list[InstalledFile] | None:
    """What this job has published in an earlier attempt, by the manifest it left."""
    manifest = volume.manifest(target)
    if manifest is None or manifest.get("jobId") != job_id:
        return None
    return [InstalledFile(f["path"], f["size"], f["sha256"]) for f in manifest["files"]]


def _done(ctx: TaskContext, target: str, files: list[InstalledFile]) -> Done:
    weights: WeightsService = ctx.services.weights
    size_bytes = sum(f.size_bytes for f in files)
    result = {
        "location": ctx.job.input["location"],
        "path": target,
        "folder": str(weights.volume.root / target),
        "sizeBytes": str(size_bytes),
        "fileCount": len(files),
        "revision": ctx.job.input["revision"],
        "storageUri": weights.volume.storage_uri(target),
        "inferenceModelPath": weights.volume.inference_model_path(target),
    }

    def index(files: list[InstalledFile], tx: Tx, job: Job) -> None:
        job.subject_id = weights.installed(tx, job, files).id

    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    return Done(result, f"installed {count} at {target}", partial(index, files))
