"""What is already there of the large files, written down while they grow, for the next attempt.

Holds for the same repository, commit, file and size only; whatever is odd about it is ignored, for
the content is verified in any case. Written without a sync: it survives a killed process. After a
restart of the machine its hashes are not believed, since the bytes may not have reached the disk.
"""

import base64
import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.hub.snapshot import HubFile
from infra.hub.transfer.plan import TransferPlan
from infra.hub.transfer.segments import Span

# A reserved name (see `snapshot`): no file of a repository can be in the way.
FOLDER = ".staging"
_NAME = "journal.json"
_VERSION = 1
_MAX_BYTES = 64 << 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `written`: ranges that are in its part, which has that `inode` (0: there is none);
    `state`: of the hash of the first `hashed_bytes`, empty: none. `in_place`: sha256 and time of
    change (ns) of the verified file.
    """

    inode: int = 0
    written: tuple[Span, ...] = ()
    hashed_bytes: int = 0
    state: bytes = b""
    in_place: tuple[str, int] | None = None


class Journal:
    """`entries`: asked for at each save, by path. Thread-safe."""

    def __init__(self, plan: TransferPlan, staging: Path) -> None:
        self._plan = plan
        self._folder = staging / FOLDER
        self._lock = threading.Lock()
        self._head = {
            "version": _VERSION,
            "repo": plan.repo,
            "revision": plan.revision,
            "boot": _boot_id(),
        }

    def load(self) -> dict[str, Entry]:
        """What an earlier attempt left; empty for one of something else, or a broken one."""
        try:
            with (self._folder / _NAME).open("rb") as file:
                document = json.loads(file.read(_MAX_BYTES))
            same = all(document[key] == self._head[key] for key in ("version", "repo", "revision"))
            booted = document["boot"] == self._head["boot"] != ""
            files = document["files"] if same else {}
            return {
                file.path: entry
                for file in self._plan.files
                if (entry := _entry(files.get(file.path), file, booted=booted))
            }
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return {}

    def save(self, entries: Callable[[], Mapping[str, Entry]]) -> None:
        """Replaces the journal in one step; an older one stays where that fails: it is true too.

        `entries` is called inside the lock, so that no older state is written after a newer.
        """
        with self._lock, contextlib.suppress(OSError):
            sizes = {file.path: file for file in self._plan.files}
            files = {path: _document(e, sizes[path]) for path, e in entries().items()}
            self._folder.mkdir(exist_ok=True)
            fresh = self._folder / f"{_NAME}.new"
            fresh.write_text(json.dumps({**self._head, "files": files}), "utf-8")
            fresh.replace(self._folder / _NAME)

    def remove(self) -> None:
        """Raises OSError: it must not be published with the files."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)


def _document(entry: Entry, file: HubFile) -> dict[str, Any]:
    return {
        "id": file.sha256 or file.blob_id,
        "size": file.size_bytes,
        "inode": entry.inode,
        "written": entry.written,
        "hashed": entry.hashed_bytes,
        "state": base64.b64encode(entry.state).decode("ascii"),
        "in_place": entry.in_place,
    }


def _entry(document: Any, file: HubFile, *, booted: bool) -> Entry | None:
    """None for what is not of this file. Raises what `load` takes for a broken journal."""
    if document is None or document["id"] != (file.sha256 or file.blob_id):
        return None
    if document["size"] != file.size_bytes:
        return None
    written = tuple((int(start), int(end)) for start, end in document["written"])
    if any(not 0 <= start < end <= file.size_bytes for start, end in written):
        return None
    inode = int(document["inode"])
    if not booted:
        return Entry(inode, written)
    hashed_bytes, state = int(document["hashed"]), base64.b64decode(document["state"])
    in_place = document["in_place"]
    if in_place is not None:
        in_place = str(in_place[0]), int(in_place[1])
    return Entry(inode, written, hashed_bytes, state, in_place)


def _boot_id() -> str:
    """Empty where the system does not tell: then no hash is believed."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def changed_ns(path: Path, size_bytes: int) -> int | None:
    """When a file of that size was changed; None: there is none."""
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return found.st_mtime_ns if found.st_size == size_bytes else None
