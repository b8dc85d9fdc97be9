"""A volume of a few MiB that can be filled, in a mount namespace of its own: nothing of it is left
behind, and nobody has to be root.
"""

import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from tests.stack import ROOT

TIMEOUT_S = 110


def run_inside(node: str) -> None:
    """Runs tests, `path` or `path::name`, where `mounted` works; tells their output on failure."""
    done = subprocess.run(
        [*_namespace(), sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def mounted(folder: Path, *, size_bytes: int) -> Path:
    """Mounts an empty volume there; it is gone with the namespace."""
    folder.mkdir()
    options = f"size={size_bytes},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    return folder


def fill(folder: Path, name: str = "somebody-else") -> Path:
    """Takes all that is free, to the last byte, as somebody else would; returns the file."""
    filler = folder / name
    with filler.open("wb", buffering=0) as file:
        for size_bytes in (1 << 20, 4096):
            piece = bytes(size_bytes)
            with suppress(OSError):
                while file.write(piece) == size_bytes:
                    pass
    assert os.statvfs(folder).f_bavail == 0
    return filler


@cache
def _namespace() -> tuple[str, ...]:
    """The command in front: as root of a namespace of its own, or of this machine."""
    for flags in ("-rm", "-m"):
        command = ("unshare", flags)
        try:
            probe = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            break
    pytest.skip("neither user namespaces (unshare -rm) nor root (unshare -m) can mount here")
