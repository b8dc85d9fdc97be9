"""The volume that holds the weights: safe paths, space, staging, and the one rename that publishes.

Everything is staged in `<root>/.staging/<job id>` on the same volume, and appears under its name
whole or not at all. A manifest (`mllm.json`) travels inside, so that a folder tells by itself what
it is and which job put it there.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import AlreadyExists, Conflict, Invalid, NoSpace, Unavailable
from infra.files import exchange, fsync_folder, rename_no_replace
from infra.settings import Weights as WeightsSettings

DEFAULT_LOCATION = "default"
MANIFEST = "mllm.json"
STAGING = ".staging"
# No leading dot or dash, nothing that a shell, a URL or another file system reads differently.
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DEPTH = 8
ELSEWHERE = "choose another target"


@dataclass(frozen=True, slots=True)
class StorageUsage:
    """Bytes. `used`: installed weights; `reserved`: what running jobs have yet to write;
    `staging`: what they have.
    """

    location: str
    root: str
    capacity: int
    available: int
    used: int
    reserved: int
    staging: int


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the volume. `keep_free`: what an install must leave."""

    capacity: int
    available: int
    keep_free: int


class Volume:
    """One location. All methods touch the disk and belong in a thread, except those that only
    compute.
    """

    def __init__(self, settings: WeightsSettings) -> None:
        self._settings = settings
        self.root = settings.root

    def open(self) -> None:
        """Makes the root and its staging folder; raises OSError where that is not allowed."""
        (self.root / STAGING).mkdir(parents=True, exist_ok=True)

    def storage_uri(self, path: str) -> str:
        """What an InferenceService names: `pvc://` where the root is a claim, else `file://`."""
        claim = self._settings.pvc_name
        return f"pvc://{claim}/{path}" if claim else (self.root / path).as_uri()

    def inference_model_path(self, path: str) -> str:
        """Where a serving container that mounts the whole volume sees the weights."""
        return str(PurePosixPath(self._settings.inference_root) / path)

    def space(self) -> Space:
        """Raises Unavailable where the volume is gone."""
        try:
            stat = os.statvfs(self.root)
        except OSError as e:
            message = f"the weights folder {self.root} cannot be read: {e.strerror}"
            raise Unavailable(message, hint="is its volume mounted?") from e
        capacity = stat.f_blocks * stat.f_frsize
        share = int(capacity * self._settings.keep_free_percent / 100)
        keep = max(self._settings.keep_free_bytes, share)
        return Space(capacity, stat.f_bavail * stat.f_frsize, keep)

    def check_target(self, path: str, *, overwrite: bool) -> None:
        """Raises AlreadyExists, or Conflict where the folder is inside or around something else."""
        current = self.root
        for part in PurePosixPath(path).parts:
            current = current / part
            if current.is_symlink():
                message = f"{current} is a symbolic link, which installs never follow"
                raise Invalid(message, field=["target"], hint=ELSEWHERE)
            if current.exists() and not current.is_dir():
                raise Conflict(f"{current} is a file", field=["target"], hint=ELSEWHERE)
            if current != self.root / path and (current / MANIFEST).exists():
                message = f"{path!r} would lie inside the weights at {current}"
                raise Conflict(message, field=["target"], hint=ELSEWHERE)
        if not current.exists():
            return
        if not overwrite:
            hint = "install with overwrite, or choose another target"
            raise AlreadyExists(f"{path!r} exists already", field=["target"], hint=hint)
        for at, _folders, files in os.walk(current):
            if MANIFEST in files and Path(at) != current:
                message = f"{path!r} would lie around the weights at {at}"
                raise Conflict(message, field=["target"], hint=ELSEWHERE)

    def staging_folder(self, job_id: str) -> Path:
        return self.root / STAGING / job_id

    def staged(self) -> list[str]:
        """Ids of the jobs that left something in staging."""
        folder = self.root / STAGING
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []

    def staging_bytes(self, job_id: str | None = None) -> int:
        """What one job has staged; None: all of them."""
        folder = self.root / STAGING if job_id is None else self.staging_folder(job_id)
        return sum(_size(Path(at) / f) for at, _d, fs in os.walk(folder) for f in fs)

    def adopt(self, old_job_id: str, job_id: str) -> bool:
        """Hands what a failed job has staged to its retry; False: there is nothing, or it has
        some.
        """
        try:
            rename_no_replace(self.staging_folder(old_job_id), self.staging_folder(job_id))
        except (FileNotFoundError, FileExistsError):
            return False
        return True

    def discard(self, job_id: str) -> None:
        """Removes what a job staged; fine where there is nothing.

        Out of reach first: a retry that comes at the same time adopts all of it or none.
        """
        folder = self.staging_folder(job_id)
        gone = folder.with_name(f"{folder.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def write_manifest(self, folder: Path, manifest: dict[str, Any]) -> None:
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        path = folder / MANIFEST
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def manifest(self, path: str) -> dict[str, Any] | None:
        """What the folder says of itself; None where it says nothing."""
        try:
            read: dict[str, Any] = json.loads((self.root / path / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return read

    def publish(self, staged: Path, path: str, *, overwrite: bool) -> None:
        """Moves the finished folder to its name, in one step.

        What was there before is then at `staged`, until the job's staging is discarded. Raises
        AlreadyExists where something is there and `overwrite` is not set: it appeared meanwhile.
        """
        target = self.root / path
        self.check_target(path, overwrite=overwrite)
        for folder in (*_folders(staged), staged):
            fsync_folder(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            rename_no_replace(staged, target)
        except FileExistsError as e:
            if not overwrite:
                raise AlreadyExists(f"{path!r} exists already", field=["target"]) from e
            exchange(staged, target)
        fsync_folder(target.parent)

    def take_back(self, path: str, job_id: str) -> bool:
        """Undoes `publish` for a job that was cancelled before it was completed; False if it never
        published.
        """
        manifest = self.manifest(path)
        if manifest is None or manifest.get("jobId") != job_id:
            return False
        staged = self.staging_folder(job_id)
        try:
            rename_no_replace(self.root / path, staged)
        except FileExistsError:  # what was there before waits in staging
            exchange(self.root / path, staged)
        return True


def check_space(space: Space, *, wanted_bytes: int, reserved_bytes: int) -> None:
    """Raises NoSpace with the numbers where the install would leave too little free."""
    free = space.available - reserved_bytes - space.keep_free
    if wanted_bytes > free:
        raise NoSpace(
            f"{wanted_bytes} bytes are needed and {max(0, free)} can be used:"
            f" {space.available} are free, {reserved_bytes} reserved by running jobs,"
            f" {space.keep_free} always kept free",
            hint="remove weights that are not needed, or install fewer files",
        )


def parse_target(target: str) -> str:
    """The path below the root, in its one spelling; raises Invalid for what could leave the root
    or hide in it.
    """
    parts = target.split("/")
    if len(parts) > _DEPTH or not all(map(_SEGMENT.fullmatch, parts)) or MANIFEST in parts:
        raise Invalid(
            f"{target!r} is not a path below the weights folder",
            field=["target"],
            hint="use parts of letters, digits, '.', '_' and '-', none starting with '.' or '-',"
            f" separated by single slashes, at most {_DEPTH} deep",
        )
    if len(target) > 512:
        raise Invalid("the target is longer than 512 characters", field=["target"])
    return target


def nested(path: str, others: Iterable[str]) -> str | None:
    """Another path that contains this one or lies inside it; None: there is none."""
    for other in others:
        if other.startswith(path + "/") or path.startswith(other + "/"):
            return other
    return None


def _folders(root: Path) -> list[Path]:
    return [Path(at) / d for at, ds, _f in os.walk(root, topdown=False) for d in ds]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # gone between the listing and the look
        return 0
