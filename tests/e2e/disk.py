"""What lies on the disk after an install, compared with what the hub has promised."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from tests.fakes.hub import HubDouble, Repository

MANIFEST = "mllm.json"
READ_BYTES = 1 << 20


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """Every file below the folder but mllm's own."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def promised(hub: HubDouble, repository: Repository) -> dict[str, str]:
    return {path: hub.file(repository.id, path).sha256 for path in sorted(repository.files)}


def entries(folder: Path) -> list[str]:
    """Everything below the folder, hidden or not."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def manifest(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return read


def safetensors_header(path: Path) -> dict[str, Any]:
    """The JSON at the front of the file: https://huggingface.co/docs/safetensors."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    return header
