"""An installation without its api: database, queue, volume and a hub; workers join as processes."""

import asyncio
import hashlib
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.jobs.entity import Job
from core.jobs.kinds import JobState
from core.principal import Principal, Scope
from core.services import Services
from core.weights.service import InstallRequest
from infra.settings import Settings
from tests.api import settings_of
from tests.fakes.hub import HubDouble, Repository
from tests.program import Program
from tests.stack import ROOT, environment

ANN = Principal("tok_ann", "ann", frozenset({Scope.WRITE}))
REPO = "acme/tiny"
TARGET = "acme/tiny"
WEIGHTS = "model.safetensors"
SIZE_BYTES = 3 << 20
FILES = {
    WEIGHTS: random.Random(7).randbytes(SIZE_BYTES),
    "config.json": b'{"model_type": "tiny"}',
    "deep/tokenizer.txt": b"a\nb\n",
}
# What may be on its way when a peer dies: it is counted as sent, and never arrives.
IN_FLIGHT_BYTES = 512 << 10
DEADLINE_S = 30


class Site:
    """Everything the workers of a test share."""

    def __init__(self, home: Path, *, database_url: str, redis_url: str, hub: HubDouble) -> None:
        self.hub = hub
        self._env = {
            "MLLM_HOME": str(home),
            "MLLM_DATABASE_URL": database_url,
            "MLLM_REDIS_URL": redis_url,
            "HF_ENDPOINT": hub.endpoint,
            "MLLM_HUB__TIMEOUT_S": "5",
            "MLLM_WEIGHTS__KEEP_FREE_BYTES": "0",
            "MLLM_WEIGHTS__KEEP_FREE_PERCENT": "0",
            "MLLM_TELEMETRY__LOG_FORMAT": "json",
        }
        self._home = home
        self.root = home / "weights"

    def settings(self, **env: str) -> Settings:
        return settings_of({**self._env, **env})

    @contextmanager
    def worker(self, **env: str) -> Iterator[Program]:
        """A worker process that is ready; what it printed is shown if the test fails."""
        program = Program(
            [sys.executable, "-m", "jobs", "worker"],
            env=environment(self._home, {**self._env, **env}),
            cwd=ROOT,
        )
        try:
            program.expect('"worker.ready"')
            yield program
        finally:
            program.close()
            sys.stdout.write(program.output + "\n")

    def published(self) -> dict[str, str]:
        """The digests of what lies at the target, but for the manifest."""
        return digests(self.root / TARGET)

    def staged(self) -> list[str]:
        return sorted(p.name for p in (self.root / ".staging").iterdir())


def tiny(**changes: Any) -> Repository:
    return Repository(**{"id": REPO, "files": FILES, **changes})


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "mllm.json"
    }


WANTED = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


async def install(services: Services, **changes: Any) -> Job:
    request = InstallRequest(**{"hub_repo": REPO, **changes})
    return (await services.weights.install(request, ANN)).job


async def eventually(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], *, within_s: float = DEADLINE_S
) -> None:
    """Returns once the condition holds; fails after the deadline."""
    deadline_s = time.monotonic() + within_s
    while True:
        found = condition()
        if await found if isinstance(found, Awaitable) else found:
            return
        assert time.monotonic() < deadline_s, f"not within {within_s} s"
        await asyncio.sleep(0.01)


async def state(services: Services, job: Job) -> Job:
    found = await services.jobs.get(job.id)
    assert found is not None
    return found


async def reached(
    services: Services, job: Job, wanted: JobState, *, within_s: float = DEADLINE_S
) -> Job:
    """The job, once it is in that state; fails at once where it has ended otherwise."""

    async def there() -> bool:
        now = await state(services, job)
        assert now.state is wanted or not now.state.terminal, now.error or now.state
        return now.state is wanted

    await eventually(there, within_s=within_s)
    return await state(services, job)


async def events(
    services: Services, *, but: tuple[str, ...] = ("job.log", "job.progress")
) -> list[str]:
    rows = await services.feed.rows_after(0, 10_000)
    return [row.type for row in rows if row.type not in but]


async def under_way(site: Site) -> None:
    """Until some of the file has been fetched, and most of it has not."""
    await eventually(lambda: site.hub.counters.cdn.body_bytes > SIZE_BYTES // 8)
    assert site.hub.counters.cdn.body_bytes < SIZE_BYTES * 3 // 4
