"""A small hub, requests that are refused, and proof that a refusal has left nothing behind."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e import disk
from tests.e2e.watching import INSTALL
from tests.fakes.hub import Repository
from tests.graphql_client import DEADLINE_S
from tests.stack import Stack

USAGE, FAILURE = 2, 1
WEIGHTS = random.Random("weights").randbytes(3_000_000)
FILES: dict[str, bytes | Path] = {"config.json": b"{}\n", "model.safetensors": WEIGHTS}
SMALL, OTHER, GATED, PRIVATE = "acme/small", "acme/other", "acme/gated", "acme/private"


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and how it is refused. `says`: words of the message, `hints`: of the hint."""

    name: str
    code: str
    exit: int
    says: str
    repo: str = SMALL
    at: str = "hubRepo"
    hints: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        names = {"allow": "--include", "ignore": "--exclude"}
        words = []
        for key, value in self.fields.items():
            for one in value if isinstance(value, list) else [value]:
                words += [names.get(key, f"--{key}"), str(one)]
        return words


def repositories() -> list[Repository]:
    return [
        Repository(id=SMALL, files=FILES, license="mit"),
        Repository(id=OTHER, files={"config.json": b"{}\n", "model.bin": WEIGHTS[:1000]}),
        Repository(id=GATED, files=FILES, gated="manual"),
        Repository(id=PRIVATE, files=FILES, private=True),
    ]


def root_of(stack: Stack) -> Path:
    return stack.home / "weights"


def jobs(stack: Stack) -> int:
    return int(stack.graphql("{ jobs { totalCount } }")["data"]["jobs"]["totalCount"])


@contextmanager
def nothing_happens(stack: Stack) -> Iterator[None]:
    """Neither on the disk, nor in the queue, nor where a link leads to."""

    def state() -> tuple[list[str], int, list[str]]:
        outside = root_of(stack) / "link"
        leaks = disk.entries(outside.resolve()) if outside.is_symlink() else []
        return disk.entries(root_of(stack)), jobs(stack), leaks

    before = state()
    yield
    assert state() == before
    assert disk.entries(root_of(stack) / ".staging") == []


def mistake(stack: Stack, **fields: object) -> dict[str, Any]:
    """The only user error of the mutation."""
    body = stack.graphql(INSTALL, {"input": fields})
    assert "errors" not in body, body
    payload = body["data"]["weightsInstall"]
    (error,) = payload.pop("userErrors")
    refused = {"job": None, "storageUri": None, "inferenceModelPath": None, "joined": False}
    assert payload == refused
    found: dict[str, Any] = error
    return found


def queued(stack: Stack, **fields: object) -> dict[str, Any]:
    payload: dict[str, Any] = stack.graphql(INSTALL, {"input": fields})["data"]["weightsInstall"]
    assert payload["userErrors"] == []
    return payload


def gone(path: Path) -> None:
    """Waits until the worker has tidied up behind a job that was taken from it."""
    deadline = time.monotonic() + DEADLINE_S
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.02)
