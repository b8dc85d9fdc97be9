"""What a test puts on the hub: repositories of files, and the identities git and LFS give them.

Nothing here knows HTTP. A content stays where it is, in memory or on disk, and is only hashed.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

Content = bytes | Path
Gated = Literal[False, "auto", "manual"]

# The patterns of the .gitattributes the hub writes into a new model repository, and its size limit
# for plain git files.
LFS_SUFFIXES = frozenset(
    {
        ".bin",
        ".ckpt",
        ".gguf",
        ".h5",
        ".model",
        ".msgpack",
        ".npz",
        ".onnx",
        ".pt",
        ".pth",
        ".safetensors",
    }
)
LFS_SIZE_BYTES = 10_000_000
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A model repository as its owner uploads it; the hub adds commit, computed tags and card."""

    id: str
    files: Mapping[str, Content]
    gated: Gated = False
    private: bool = False
    tags: tuple[str, ...] = ()
    git_tags: tuple[str, ...] = ()
    downloads: int = 0
    likes: int = 0
    license: str | None = None
    pipeline_tag: str | None = None
    library_name: str | None = None
    gguf: Mapping[str, object] | None = None
    """What the hub read from a GGUF header: total, architecture, context_length. None: no GGUF
    files.
    """

    def __post_init__(self) -> None:
        namespace, _, name = self.id.partition("/")
        if not namespace or not name or "/" in name:
            raise ValueError(f"a repository is named namespace/name, not {self.id!r}")

    @property
    def author(self) -> str:
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a commit. `git_oid` of an LFS file is that of its pointer, as in the tree of the
    real hub.
    """

    path: str
    content: Content
    size_bytes: int
    sha256: str
    git_oid: str
    pointer_size_bytes: int | None
    """None: a plain git file."""

    @property
    def lfs(self) -> bool:
        return self.pointer_size_bytes is not None

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.git_oid

    @property
    def xet_hash(self) -> str:
        return hashlib.sha256(b"xet" + bytes.fromhex(self.sha256)).hexdigest()

    def chunks(self, start: int, end: int, *, chunk_bytes: int) -> Iterator[bytes]:
        """The bytes of [start, end), a chunk at a time; a file on disk is never held in memory."""
        if isinstance(self.content, bytes):
            for at in range(start, end, chunk_bytes):
                yield self.content[at : min(at + chunk_bytes, end)]
            return
        with self.content.open("rb") as stream:
            stream.seek(start)
            while start < end and (chunk := stream.read(min(chunk_bytes, end - start))):
                start += len(chunk)
                yield chunk

    def read(self) -> bytes:
        return b"".join(self.chunks(0, self.size_bytes, chunk_bytes=READ_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A state of a repository. `sha` is derived from the content, so that equal content has an
    equal commit.
    """

    sha: str
    files: Mapping[str, File]
    created_at: datetime
    parameters: Mapping[str, int]
    """Parameters by dtype, from the safetensors headers; empty without such files."""


def file_of(path: str, content: Content) -> File:
    """Hashes a content as git and LFS do. Raises ValueError for a path the hub would not take."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or not path:
        raise ValueError(f"not a path inside a repository: {path!r}")
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
    bare = File(
        path=path, content=content, size_bytes=size, sha256="", git_oid="", pointer_size_bytes=None
    )
    for chunk in bare.chunks(0, size, chunk_bytes=READ_BYTES):
        sha256.update(chunk)
        sha1.update(chunk)
    oid, pointer_size = sha1.hexdigest(), None
    if PurePosixPath(path).suffix in LFS_SUFFIXES or size > LFS_SIZE_BYTES:
        pointer = _lfs_pointer(sha256.hexdigest(), size)
        oid = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        pointer_size = len(pointer)
    return File(
        path=path,
        content=content,
        size_bytes=size,
        sha256=sha256.hexdigest(),
        git_oid=oid,
        pointer_size_bytes=pointer_size,
    )


def commit_of(repository_id: str, files: Mapping[str, File], *, created_at: datetime) -> Commit:
    entries = sorted(f"{file.git_oid} {path}" for path, file in files.items())
    sha = hashlib.sha1("\n".join([repository_id, *entries]).encode()).hexdigest()
    return Commit(
        sha=sha,
        files=dict(sorted(files.items())),
        created_at=created_at,
        parameters=_parameters(files),
    )


def _lfs_pointer(sha256: str, size_bytes: int) -> bytes:
    version = "https://git-lfs.github.com/spec/v1"
    return f"version {version}\noid sha256:{sha256}\nsize {size_bytes}\n".encode()


def _parameters(files: Mapping[str, File]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path, file in files.items():
        if path.endswith(".safetensors"):
            for dtype, count in _tensor_counts(file):
                counts[dtype] = counts.get(dtype, 0) + count
    return counts


def _tensor_counts(file: File) -> Iterator[tuple[str, int]]:
    """Nothing of a file that is no safetensors file in spite of its suffix, as on the hub."""
    head = b"".join(file.chunks(0, min(8, file.size_bytes), chunk_bytes=8))
    header_bytes = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
    if not 0 < header_bytes <= file.size_bytes - 8:
        return
    try:
        header = json.loads(
            b"".join(file.chunks(8, 8 + header_bytes, chunk_bytes=READ_BYTES)),
        )
    except ValueError:
        return
    for name, tensor in header.items():
        if name != "__metadata__":
            count = 1
            for side in tensor["shape"]:
                count *= side
            yield tensor["dtype"], count
