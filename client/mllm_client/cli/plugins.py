"""Verbs that mllm does not know are programs: `mllm server up` runs `mllm-server up`.

Options given before the verb travel in the environment, so that a plugin asks the same server.
"""

import difflib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from mllm_client.cli import errors

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def run(name: str, arguments: list[str], *, known: Sequence[str], given: Any) -> NoReturn:
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
    if given.server:
        os.environ["MLLM_SERVER"] = given.server
        # A token of the environment belongs to the server of the environment.
        os.environ.pop("MLLM_TOKEN", None)
    if given.token:
        os.environ["MLLM_TOKEN"] = given.token
    os.execv(program, [program, *arguments])  # noqa: S606 — becoming the plugin is the point


def find(name: str) -> str | None:
    """The program of a plugin: on PATH, else beside `mllm` itself."""
    if not NAME.fullmatch(name):
        return None
    beside = Path(sys.argv[0]).resolve().parent
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(f"mllm-{name}", path=f"{path}{os.pathsep}{beside}")
