"""What a repository holds at one commit. The listing is the hub's word and is not trusted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from infra.hub.errors import UnsafePath

# Names at the top of an installed folder that belong to the installer.
RESERVED_NAMES = frozenset({".staging", "mllm.json"})
# Linux refuses longer ones (PATH_MAX 4096, NAME_MAX 255); leaves room for the folder around it.
_MAX_PATH_BYTES = 1024
_MAX_NAME_BYTES = 240
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file. `sha256`: of the content, None for small files kept in git; `blob_id`: git's hash.

    For a file with a sha256 the `blob_id` is the hash of its LFS pointer, not of its content.
    """

    path: str
    size_bytes: int
    sha256: str | None
    blob_id: str


@dataclass(frozen=True, slots=True)
class HubSnapshot:
    """A repository pinned to a commit: `revision` is 40 hex digits.

    `requested_revision`: as asked for, None: the default branch. `gated`: the licence must be
    accepted before a file is served. `license`: the identifier on the model card, None: none.
    """

    repo: str
    revision: str
    requested_revision: str | None
    files: tuple[HubFile, ...]
    gated: bool
    private: bool
    license: str | None

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def check_paths(files: Iterable[HubFile], *, repo: str) -> None:
    """Refuses a listing that could write outside of its folder or over its own files.

    Raises UnsafePath.
    """
    paths = [file.path for file in files]
    taken = set(paths)
    if len(taken) != len(paths):
        raise UnsafePath(f"{repo} lists a file twice", repo=repo)
    for path in paths:
        fault = _fault(path)
        if fault is None and not taken.isdisjoint(map(str, PurePosixPath(path).parents)):
            fault = "lies below another file"
        if fault:
            raise UnsafePath(f"{repo} lists {path!r}, which {fault}", repo=repo, path=path)


def _fault(path: str) -> str | None:
    parts = path.split("/")
    if path.startswith("/"):
        return "is absolute"
    if ".." in parts:
        return "leaves its folder"
    if "" in parts or "." in parts:
        return "has an empty part"
    if "\\" in path or _CONTROL.search(path):
        return "has a backslash or a control character"
    if parts[0].casefold() in RESERVED_NAMES:
        return "is a reserved name"
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "is not text"
    if max(sizes) > _MAX_NAME_BYTES or len(path) > _MAX_PATH_BYTES:
        return "is too long"
    return None
