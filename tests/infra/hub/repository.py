"""The repository that the tests of this folder fetch, and plans for it."""

import random
from typing import Any

from pydantic import SecretStr

from infra.hub.snapshot import HubFile
from infra.hub.transfer.plan import TransferPlan
from tests.fakes.hub import HubDouble, Repository

REPO = "acme/tiny"
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
MIB = 1 << 20


def noise(size_bytes: int, *, seed: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


FILES = {
    WEIGHTS: noise(4 * MIB + 4321, seed=1),
    "shards/second.safetensors": noise(MIB, seed=2),
    CONFIG: b'{"model_type": "tiny"}',
    "tokenizer/vocabulary of 2.txt": b"a\nb\n",
    "empty.txt": b"",
}


def tiny(**changes) -> Repository:
    return Repository(**{"id": REPO, "files": FILES, **changes})


def plan_for(
    hub: HubDouble,
    *paths: str,
    repo: str = REPO,
    revision: str,
    endpoint: str | None = None,
    token: str | None = None,
    parallel_files: int = 4,
    timeout_s: float = 30,
    **fields: Any,
) -> TransferPlan:
    """The files at a commit as the hub lists them, `paths` only. `fields`: of the plan."""
    listed = (hub.file(repo, path, revision=revision) for path in paths)
    return TransferPlan(
        endpoint=endpoint or hub.endpoint,
        token=SecretStr(token) if token else None,
        repo=repo,
        revision=revision,
        files=tuple(
            HubFile(file.path, file.size_bytes, file.sha256 if file.lfs else None, file.git_oid)
            for file in listed
        ),
        parallel_files=parallel_files,
        timeout_s=timeout_s,
        backoff_s=0.01,
        **fields,
    )
