"""Verbs that mllm does not know are programs: `mllm server up` runs `mllm-server up`.

A plugin gets the rest of the line untouched.
"""

import difflib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mllm_client.cli import errors

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def run(
    name: str, arguments: list[str], *, known: Sequence[str], environment: dict[str, str]
) -> NoReturn:
    """Becomes `mllm-<name>` with the rest of the line.

    Raises Misuse when there is no such program.
    """
    program = find(name)
    if program is None:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = "did you mean " + ", ".join(f"`mllm {verb}`" for verb in near) + "?"
        raise errors.Misuse(
            f"unknown verb {name!r}, and no program mllm-{name} on PATH",
            hint=hint if near else "see `mllm --help`",
        )
    os.execve(program, [program, *arguments], environment)  # noqa: S606 — becoming it is the point


def find(name: str) -> str | None:
    """The program of a plugin: on PATH, else beside `mllm` itself."""
    if not NAME.fullmatch(name):
        return None
    beside = Path(sys.argv[0]).resolve().parent
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(f"mllm-{name}", path=f"{path}{os.pathsep}{beside}")
