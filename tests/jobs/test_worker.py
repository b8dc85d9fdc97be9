"""Workers as real processes that download from the double of the hub, and what befalls them."""

import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.jobs.kinds import JobFileState, JobState
from core.services import Services, open_services
from infra.processes import is_alive
from infra.valkey import Valkey
from tests.fakes.hub import HubDouble
from tests.fakes.hub.faults import Rate
from tests.jobs.site import (
    ANN,
    FILES,
    IN_FLIGHT_BYTES,
    SIZE_BYTES,
    TARGET,
    WANTED,
    Site,
    events,
    eventually,
    install,
    reached,
    state,
    under_way,
)

pytestmark = pytest.mark.e2e
SLOW = Rate(bytes_per_s=1 << 19)  # 6 s for the whole file, until a test lifts it
# The shortest lease that the settings take; a worker lets go a second earlier.
SHORT_LEASE = {
    "MLLM_JOBS__LEASE_TTL_S": "2",
    "MLLM_JOBS__HEARTBEAT_S": "0.2",
    "MLLM_LOG_LEVEL": "debug",  # the end of a lost run is told on that level
}
COMPLETED = ["job.pending", "job.running", "weights.installed", "job.completed"]


async def complete(site: Site, services: Services, job) -> None:
    """The job has completed once, everything is in place and nothing is left over."""
    read = await reached(services, job, JobState.COMPLETED)
    assert site.published() == WANTED
    assert (read.bytes_done, read.progress, read.dedupe_key) == (read.bytes_total, 1.0, None)
    files = await services.jobs.all_files(job.id)
    assert {f.path: f.state for f in files} == dict.fromkeys(FILES, JobFileState.VERIFIED)
    weights = await services.weights.at("default", TARGET)
    assert weights is not None
    assert (weights.size, weights.install_job_id) == (read.bytes_total, job.id)
    told = await events(services)
    assert [told.count(type) for type in ("job.completed", "weights.installed")] == [1, 1]
    await eventually(lambda: site.staged() == [])


async def test_install_completes(site: Site, services: Services):
    with site.worker() as worker:
        job = await install(services)
        await complete(site, services, job)
        read = await state(services, job)
        assert (read.attempt, read.crashes, read.epoch) == (1, 0, 1)
        assert await events(services) == COMPLETED
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert await services.jobs.workers() == 0
    assert site.hub.counters.cdn.body_bytes == SIZE_BYTES
    assert site.hub.counters.cdn.auth_leaks == 0


async def test_killed_worker_is_replaced_and_only_the_rest_is_fetched(
    site: Site, services: Services, hub: HubDouble
):
    hub.faults.cdn.set(SLOW)
    with site.worker(**SHORT_LEASE) as first:
        job = await install(services)
        await under_way(site)
        first.signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        hub.faults.clear()
        with site.worker(**SHORT_LEASE):
            await complete(site, services, job)
    read = await state(services, job)
    assert (read.attempt, read.crashes, read.epoch) == (1, 1, 3)
    assert site.hub.counters.cdn.body_bytes <= SIZE_BYTES + IN_FLIGHT_BYTES
    assert await events(services) == [
        "job.pending", "job.running", "job.pending", "job.running", *COMPLETED[2:],
    ]  # fmt: skip


async def test_stopping_worker_hands_its_job_over_at_once(
    site: Site, services: Services, hub: HubDouble
):
    hub.faults.cdn.set(SLOW)
    with site.worker() as first:
        job = await install(services)
        await under_way(site)
        with site.worker() as second:
            began_s = time.monotonic()
            first.signal(signal.SIGTERM)
            second.expect('"job.claimed"')
            handed_over_s = time.monotonic() - began_s
            hub.faults.clear()
            assert first.wait() == 0
            await complete(site, services, job)
    assert handed_over_s < 4, "less than a lease"
    read = await state(services, job)
    assert (read.attempt, read.crashes, read.epoch) == (1, 0, 2)
    assert site.hub.counters.cdn.body_bytes <= SIZE_BYTES + IN_FLIGHT_BYTES
    lines = await services.jobs.logs(job.id, first=100, after=None)
    assert "this worker stops; another one goes on" in [line.message for line in lines.rows]


async def test_worker_that_stood_still_for_longer_than_its_lease_publishes_nothing(
    site: Site, services: Services, hub: HubDouble
):
    """It goes on when another one has completed the job, and when another one is at it."""
    hub.faults.cdn.set(SLOW)
    with site.worker(**SHORT_LEASE) as first:
        job = await install(services)
        await under_way(site)
        first.signal(signal.SIGSTOP)
        hub.faults.clear()
        with site.worker(**SHORT_LEASE):
            await complete(site, services, job)
            inode = (site.root / TARGET).stat().st_ino
            first.signal(signal.SIGCONT)
            first.expect('"job.work_ended"')
            assert site.staged() == []
            assert site.published() == WANTED
            assert (site.root / TARGET).stat().st_ino == inode
            assert is_alive(first.pid)
    read = await state(services, job)
    assert (read.state, read.attempt, read.crashes) == (JobState.COMPLETED, 1, 1)
    assert await events(services) == ["job.pending", "job.running", *COMPLETED]


async def test_worker_that_wakes_up_while_another_one_is_at_its_job_does_not_disturb_it(
    site: Site, services: Services, hub: HubDouble
):
    hub.faults.cdn.set(SLOW)
    with site.worker(**SHORT_LEASE) as first:
        job = await install(services)
        await under_way(site)
        first.signal(signal.SIGSTOP)
        with site.worker(**SHORT_LEASE) as second:
            second.expect('"job.claimed"')
            first.signal(signal.SIGCONT)
            first.expect('"job.work_ended"')
            hub.faults.clear()
            await complete(site, services, job)
    assert (await state(services, job)).epoch == 3


async def test_cancelled_download_stops_and_leaves_nothing(
    site: Site, services: Services, hub: HubDouble
):
    hub.faults.cdn.set(SLOW)
    with site.worker():
        job = await install(services)
        await under_way(site)
        assert (await services.jobs.cancel(job.id, ANN)).state is JobState.CANCELLED
        time.sleep(0.5)  # noqa: ASYNC251 — the measured window
        sent = hub.counters.cdn.body_bytes
        time.sleep(0.3)  # noqa: ASYNC251
        assert hub.counters.cdn.body_bytes == sent < SIZE_BYTES
        await eventually(lambda: site.staged() == [])
        assert not (site.root / "acme").exists()
        read = await state(services, job)
        assert (read.state, read.dedupe_key, read.lease_owner) == (JobState.CANCELLED, None, None)
        assert await events(services) == ["job.pending", "job.running", "job.cancelled"]
        hub.faults.clear()
        again = await install(services)
        await reached(services, again, JobState.COMPLETED)


async def test_paused_download_goes_on_where_it_was(site: Site, services: Services, hub: HubDouble):
    hub.faults.cdn.set(SLOW)
    with site.worker():
        job = await install(services)
        await under_way(site)
        await services.jobs.pause(job.id, ANN)

        async def let_go() -> bool:
            return (await state(services, job)).lease_owner is None

        await eventually(let_go, within_s=2)
        assert site.staged() == [job.id]
        hub.faults.clear()
        await services.jobs.resume(job.id, ANN)
        await complete(site, services, job)
    read = await state(services, job)
    assert (read.attempt, read.crashes) == (1, 0)
    assert hub.counters.cdn.body_bytes <= SIZE_BYTES + IN_FLIGHT_BYTES


@pytest.fixture
def own_valkey(tmp_path: Path):
    server = Valkey.start(tmp_path / "valkey")
    yield server
    server.stop()


@pytest.fixture
async def on_own(
    tmp_path: Path, sqlite_template: Path, own_valkey: Valkey, hub: HubDouble
) -> AsyncIterator[tuple[Site, Services]]:
    home = tmp_path / "own"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "mllm.db")
    url = f"sqlite:///{home}/mllm.db"
    site = Site(home, database_url=url, redis_url=own_valkey.url, hub=hub)
    async with open_services(site.settings(), follows_events=False) as services:
        yield site, services


async def test_death_of_valkey_does_not_disturb_a_download(
    on_own: tuple[Site, Services], own_valkey: Valkey, hub: HubDouble
):
    site, services = on_own
    hub.faults.cdn.set(SLOW)
    with site.worker():
        job = await install(services)
        await under_way(site)
        own_valkey.send_signal(signal.SIGKILL)
        own_valkey.process.wait(10)
        hub.faults.clear()
        await complete(site, services, job)
    read = await state(services, job)
    assert (read.attempt, read.crashes, read.epoch) == (1, 0, 1)


async def test_job_is_found_without_any_valkey(on_own: tuple[Site, Services], own_valkey: Valkey):
    site, services = on_own
    own_valkey.stop()
    with site.worker() as worker:
        job = await install(services)
        await complete(site, services, job)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0


async def test_cancel_reaches_the_worker_without_any_valkey(
    on_own: tuple[Site, Services], own_valkey: Valkey, hub: HubDouble
):
    site, services = on_own
    own_valkey.stop()
    hub.faults.cdn.set(SLOW)
    with site.worker(MLLM_JOBS__HEARTBEAT_S="0.2") as worker:
        job = await install(services)
        await under_way(site)
        await services.jobs.cancel(job.id, ANN)
        worker.expect('"job.dropped"', timeout_s=3)
        await eventually(lambda: site.staged() == [])
    assert hub.counters.cdn.body_bytes < SIZE_BYTES


@pytest.mark.postgres
async def test_killed_worker_is_replaced_on_postgres_too(
    tmp_path: Path, postgres, redis_url: str, hub: HubDouble
):
    url = postgres.create()
    home = tmp_path / "pg"
    site = Site(home, database_url=url, redis_url=redis_url, hub=hub)
    hub.faults.cdn.set(SLOW)
    try:
        async with open_services(site.settings(), follows_events=False) as services:
            with site.worker(**SHORT_LEASE) as first:
                job = await install(services)
                await under_way(site)
                first.signal(signal.SIGKILL)
                first.wait()
                hub.faults.clear()
                with site.worker(**SHORT_LEASE):
                    await complete(site, services, job)
            assert (await state(services, job)).crashes == 1
    finally:
        postgres.drop(url)
