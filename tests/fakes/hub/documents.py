"""The JSON of the API: a repository in a list, alone, and the entries of its tree."""

import hashlib
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from tests.fakes.hub.catalog import Hosted
from tests.fakes.hub.repositories import Commit, File

Document = dict[str, Any]
LIST_KEYS = frozenset(
    {
        "_id",
        "id",
        "modelId",
        "likes",
        "private",
        "downloads",
        "tags",
        "pipeline_tag",
        "library_name",
        "createdAt",
        "trendingScore",
    }
)
FULL_KEYS = LIST_KEYS | {"author", "sha", "lastModified", "gated", "disabled", "siblings"}


def timestamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def tags_of(hosted: Hosted, commit: Commit) -> list[str]:
    """The owner's tags and those the hub computes, without repetition."""
    repository = hosted.repository
    tags = [tag for tag in (repository.library_name, repository.pipeline_tag) if tag]
    tags += repository.tags
    tags += [
        kind
        for kind in ("safetensors", "gguf")
        if any(path.endswith(f".{kind}") for path in commit.files)
    ]
    if repository.license:
        tags.append(f"license:{repository.license}")
    return list(dict.fromkeys([*tags, "region:us"]))


def model(hosted: Hosted, commit: Commit, *, blobs: bool = False) -> Document:
    """Everything the hub says of a repository at a commit."""
    repository = hosted.repository
    first = next(iter(hosted.commits.values()))
    document: Document = {
        "_id": hashlib.sha1(repository.id.encode()).hexdigest()[:24],
        "id": repository.id,
        "modelId": repository.id,
        "author": repository.author,
        "sha": commit.sha,
        "private": repository.private,
        "gated": repository.gated,
        "disabled": False,
        "downloads": repository.downloads,
        "downloadsAllTime": repository.downloads,
        "likes": repository.likes,
        "trendingScore": 0,
        "tags": tags_of(hosted, commit),
        "createdAt": timestamp(first.created_at),
        "lastModified": timestamp(commit.created_at),
        "cardData": _card(hosted),
        "siblings": [_sibling(file, blobs=blobs) for file in commit.files.values()],
        "usedStorage": sum(file.size_bytes for file in commit.files.values()),
        "spaces": [],
    }
    optional = {
        "pipeline_tag": repository.pipeline_tag,
        "library_name": repository.library_name,
        "gguf": repository.gguf,
        "safetensors": _safetensors(commit),
    }
    return document | {key: value for key, value in optional.items() if value is not None}


def select(document: Document, keys: Collection[str]) -> Document:
    return {key: value for key, value in document.items() if key in keys}


def entry(file: File, *, commit: Commit, xet: bool, expand: bool) -> Document:
    document: Document = {
        "type": "file",
        "oid": file.git_oid,
        "size": file.size_bytes,
        "path": file.path,
    }
    if file.lfs:
        document["lfs"] = {
            "oid": file.sha256,
            "size": file.size_bytes,
            "pointerSize": file.pointer_size_bytes,
        }
        if xet:
            document["xetHash"] = file.xet_hash
    if expand:
        document["lastCommit"] = _last_commit(commit)
        document["securityFileStatus"] = {
            "status": "safe",
            "avScan": {"status": "safe"},
            "pickleImportScan": None,
        }
    return document


def folder(path: str, *, commit: Commit, expand: bool) -> Document:
    inside = [
        f"{f.git_oid} {f.path}" for f in commit.files.values() if f.path.startswith(f"{path}/")
    ]
    oid = hashlib.sha1("\n".join(inside).encode()).hexdigest()
    document: Document = {"type": "directory", "oid": oid, "size": 0, "path": path}
    if expand:
        document["lastCommit"] = _last_commit(commit)
    return document


def folders(commit: Commit) -> set[str]:
    return {
        "/".join(parts[:depth])
        for parts in (path.split("/") for path in commit.files)
        for depth in range(1, len(parts))
    }


def tree(
    commit: Commit, *, below: str, recursive: bool, xet: bool, expand: bool
) -> Iterator[Document]:
    """Entries below a folder (empty: the root) in the order of their paths."""
    start = f"{below}/" if below else ""
    known = folders(commit)
    for path in sorted(known | commit.files.keys()):
        if not path.startswith(start) or (not recursive and "/" in path[len(start) :]):
            continue
        if path in known:
            yield folder(path, commit=commit, expand=expand)
        else:
            yield entry(commit.files[path], commit=commit, xet=xet, expand=expand)


def _sibling(file: File, *, blobs: bool) -> Document:
    if not blobs:
        return {"rfilename": file.path}
    document: Document = {
        "rfilename": file.path,
        "size": file.size_bytes,
        "blobId": file.git_oid,
    }
    if file.lfs:
        document["lfs"] = {
            "sha256": file.sha256,
            "size": file.size_bytes,
            "pointerSize": file.pointer_size_bytes,
        }
    return document


def _card(hosted: Hosted) -> Document:
    repository = hosted.repository
    card = {
        "license": repository.license,
        "pipeline_tag": repository.pipeline_tag,
        "library_name": repository.library_name,
        "tags": list(repository.tags) or None,
    }
    return {key: value for key, value in card.items() if value is not None}


def _safetensors(commit: Commit) -> Document | None:
    if not commit.parameters:
        return None
    return {"parameters": dict(commit.parameters), "total": sum(commit.parameters.values())}


def _last_commit(commit: Commit) -> Document:
    return {"id": commit.sha, "title": "Upload files", "date": timestamp(commit.created_at)}
