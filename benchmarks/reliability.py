"""How soon jobs go on after a death, start, and stop, on both databases.

Real processes: one api, two workers, Valkey, and a hub on loopback whose CDN is paced, so that jobs
last as long as they are needed. Moments of claims are those in the workers' logs.

scripts/bench reliability
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.jobs.entity import Job
from core.jobs.kinds import JobState
from infra.db.store import Store, Tx
from infra.settings import Database
from migrations.upgrade import upgrade
from tests.chaos import trail
from tests.chaos.findings import clock_offset_s
from tests.chaos.installation import Installation, Worker
from tests.chaos.people import INSTALL, VERB
from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.faults import Rate, Stall
from tests.graphql_client import Client
from tests.postgres import Cluster

DEATHS = int(os.environ.get("DEATHS", "20"))
JOBS_AT_DEATH = 2
SUBMITS = 200
STOPPED_RUNNING = 40
STOPPED_WITHOUT_REDIS = 10
QUIET_S = 1.0  # a counter that has not moved for so long has stopped
LOOK_S = 0.005
DEADLINE_S = 30

SMALL = Repository(id="bench/small", files={"config.json": b"{}", "a.bin": b"x" * 1000})
BIG = Repository(id="bench/big", files={"a.bin": bytes(50_000_000)})
SLOW = Rate(bytes_per_s=100_000, per_connection=True, target="bench/big/*")
SILENT = Stall(after_bytes=1000, target="bench/big/*")


@dataclass(slots=True)
class Bench:
    installation: Installation
    client: Client
    hub: HubDouble
    store: Store
    targets: int = 0

    async def submit(self, repository: Repository) -> str:
        self.targets += 1
        wanted = {"hubRepo": repository.id, "target": f"bench/{self.targets}"}
        return await self._ask("weightsInstall", INSTALL, input=wanted)

    async def cancel(self, job_id: str) -> None:
        await self._ask("jobCancel", VERB % "jobCancel", id=job_id)

    async def row(self, job_id: str) -> Job:
        def get(tx: Tx) -> Job:
            return tx.session.get_one(Job, job_id)

        return await self.store.read(get)

    async def until(self, job_id: str, condition: Callable[[Job], bool]) -> Job:
        async with asyncio.timeout(DEADLINE_S):
            while not condition(job := await self.row(job_id)):  # noqa: ASYNC110 - a row
                await asyncio.sleep(LOOK_S)
        return job

    async def running(self, job_id: str, *, epoch_above: int = 0) -> Job:
        """Once it runs and has moved a byte."""
        return await self.until(
            job_id,
            lambda job: (
                job.state is JobState.RUNNING and job.epoch > epoch_above and bool(job.bytes_done)
            ),
        )

    def claims(self, job_id: str) -> list[float]:
        """Monotonic seconds at which a worker said that it has the job, ascending."""
        offset_s = clock_offset_s()
        lives = self.installation.lives
        runs = [run for w in lives for run in trail.runs(w.log, w.pid, offset_s=offset_s)]
        return sorted(run.began_s for run in runs if run.job_id == job_id)

    async def _ask(self, verb: str, document: str, **variables: object) -> str:
        payload = await self.client.data(document, **variables)
        assert not payload["userErrors"], (verb, payload)
        job_id: str = payload["job"]["id"]
        return job_id


@asynccontextmanager
async def benched(home: Path, database_url: str) -> AsyncIterator[Bench]:
    store = Store(Database(url=database_url))
    with HubDouble([SMALL, BIG]) as hub:
        hub.faults.cdn.set(SLOW)
        env = {
            "MLLM_DATABASE_URL": database_url,
            "MLLM_LOG_LEVEL": "debug",
            "HF_ENDPOINT": hub.endpoint,
            "MLLM_WEIGHTS__KEEP_FREE_BYTES": "0",
            "MLLM_WEIGHTS__KEEP_FREE_PERCENT": "0",
            "MLLM_JOBS__MAX_CRASHES": "1000",
            "MLLM_HUB__TIMEOUT_S": "60",
        }
        installation = Installation(home, env=env, workers=2)
        try:
            await installation.start()
            async with Client(installation.url, installation.token) as client:
                yield Bench(installation, client, hub, store)
        finally:
            installation.close()
            await store.close()


async def starts(bench: Bench) -> None:
    """From the row to the claim, one job at a time; and the call that makes the row."""
    calls, waits = [], []
    for n in range(SUBMITS + 5):
        began_s = time.monotonic()
        job_id = await bench.submit(SMALL)
        called_s = time.monotonic() - began_s
        job = await bench.until(job_id, lambda job: job.state.terminal)
        if n >= 5:  # the first ones pay for connections
            calls.append(called_s)
            created_s = job.created_at.timestamp() - clock_offset_s()
            waits.append((job_id, created_s))
    found = [bench.claims(job_id)[0] - created_s for job_id, created_s in waits]
    show("submit: the call", calls, unit="ms")
    show("submit: row to handler start", found, unit="ms", shares=(0.5, 0.99, 1))


async def deaths(bench: Bench, name: str, end: Callable[[Bench, Worker], float]) -> None:
    """From the signal to the claim by the worker that lives."""
    jobs = [await bench.submit(BIG) for _ in range(JOBS_AT_DEATH)]
    moments: list[tuple[str, float]] = []
    for _ in range(-(-DEATHS // JOBS_AT_DEATH)):
        rows = [await bench.running(job_id) for job_id in jobs]
        for slot, worker in enumerate(list(bench.installation.workers)):
            assert worker is not None
            here = [r for r in rows if f"-{worker.pid}-" in (r.lease_owner or "")]
            if not here:
                continue
            signalled_s = await end(bench, worker)
            moments += [(row.id, signalled_s) for row in here]
            for row in here:
                await bench.running(row.id, epoch_above=row.epoch)
            bench.installation.start_worker(slot)
            await _ready(bench.installation.workers[slot])
            break
    for job_id in jobs:
        await bench.cancel(job_id)
    claims = {job_id: bench.claims(job_id) for job_id in jobs}
    found = [min(c for c in claims[job_id] if c > at_s) - at_s for job_id, at_s in moments]
    show(name, found, unit="s", shares=(0.5, 0.95, 1))


async def kill(bench: Bench, worker: Worker) -> float:
    await bench.installation.kill_worker(worker)
    assert worker.killed_s is not None
    return worker.killed_s


async def terminate(bench: Bench, worker: Worker) -> float:
    await bench.installation.end_worker(worker)
    assert worker.told_to_end_s is not None
    return worker.told_to_end_s


async def cancels(bench: Bench) -> None:
    """The call, and from its beginning to the last byte that the CDN handed out for the job."""
    calls, stops = [], []
    for _ in range(STOPPED_RUNNING):
        called_s, stopped_s = await _cancelled(bench, await _downloading(bench))
        calls.append(called_s)
        stops.append(stopped_s)
    show("cancel of a running job: the call", calls, unit="ms", shares=(0.5, 0.99, 1))
    show("cancel of a running job: last byte", stops, unit="s", shares=(0.5, 0.99, 1))
    calls, stops = [], []
    for _ in range(STOPPED_WITHOUT_REDIS):
        job_id = await _downloading(bench)
        await bench.installation.kill_valkey()
        called_s, stopped_s = await _cancelled(bench, job_id)
        calls.append(called_s)
        stops.append(stopped_s)
        await bench.installation.start_valkey()
    show("cancel, Redis down: the call", calls, unit="ms", shares=(0.5, 0.99, 1))
    show("cancel, Redis down: last byte", stops, unit="s", shares=(0.5, 0.99, 1))


async def cancels_of_queued(bench: Bench) -> None:
    """Behind jobs that fill both workers, and wait for the CDN: bytes on their way would be work
    for this process, and measured.
    """
    bench.hub.faults.cdn.set(SILENT)
    jobs = [await bench.submit(BIG) for _ in range(8 + SUBMITS)]
    calls = []
    for job_id in reversed(jobs):
        began_s = time.monotonic()
        await bench.cancel(job_id)
        calls.append(time.monotonic() - began_s)
    bench.hub.faults.cdn.set(SLOW)
    show("cancel of a queued job: the call", calls[:SUBMITS], unit="ms", shares=(0.5, 0.99, 1))


async def _downloading(bench: Bench) -> str:
    bench.hub.reset_counters()
    job_id = await bench.submit(BIG)
    await bench.running(job_id)
    return job_id


async def _cancelled(bench: Bench, job_id: str) -> tuple[float, float]:
    began_s = time.monotonic()
    await bench.cancel(job_id)
    called_s = time.monotonic() - began_s
    counted, moved_s = bench.hub.counters.cdn.body_bytes, time.monotonic()
    while time.monotonic() - moved_s < QUIET_S:
        await asyncio.sleep(LOOK_S)
        now_bytes = bench.hub.counters.cdn.body_bytes
        if now_bytes != counted:
            counted, moved_s = now_bytes, time.monotonic()
    return called_s, moved_s - began_s


async def _ready(worker: Worker | None) -> None:
    assert worker is not None
    async with asyncio.timeout(DEADLINE_S):
        while "worker.ready" not in worker.log.read_bytes().decode():  # noqa: ASYNC110 - a file
            await asyncio.sleep(LOOK_S)


def show(
    name: str, values: Sequence[float], *, unit: str, shares: Sequence[float] = (0.5, 0.99, 1)
) -> None:
    ordered, factor = sorted(values), 1000 if unit == "ms" else 1
    told = "  ".join(
        f"{'max' if share == 1 else f'p{share * 100:.0f}':>4}"
        f" {ordered[min(len(ordered) - 1, int(len(ordered) * share))] * factor:8.2f}"
        for share in shares
    )
    print(f"  {name:38} {told}  {unit:2}  n={len(ordered)}", flush=True)


async def measure(home: Path, database_url: str) -> None:
    async with benched(home, database_url) as bench:
        await starts(bench)
        await cancels(bench)
        await cancels_of_queued(bench)
        await deaths(bench, "SIGTERM to running elsewhere", terminate)
        await deaths(bench, "SIGKILL to running again", kill)


def main() -> None:
    chosen = sys.argv[1:] or ["sqlite", "postgres"]
    with tempfile.TemporaryDirectory(prefix="mllm-bench-") as folder:
        if "sqlite" in chosen:
            print("sqlite")
            url = f"sqlite:///{folder}/mllm.db"
            upgrade(url)
            asyncio.run(measure(Path(folder) / "sqlite", url))
        if "postgres" in chosen:
            print("postgres")
            with Cluster() as cluster:
                asyncio.run(measure(Path(folder) / "postgres", cluster.create()))


if __name__ == "__main__":
    main()
