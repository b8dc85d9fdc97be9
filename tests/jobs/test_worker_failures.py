"""Downloads that cannot succeed: the job says why, and nothing appears at the target."""

import signal

import pytest

from core.errors import ErrorCode
from core.jobs.entity import Job
from core.jobs.kinds import JobState
from core.services import Services
from tests.fakes.hub import HubDouble
from tests.fakes.hub.faults import Corrupt, Rate, Status
from tests.jobs.site import (
    FILES,
    REPO,
    TARGET,
    WEIGHTS,
    Site,
    events,
    eventually,
    install,
    reached,
    tiny,
    under_way,
)

pytestmark = pytest.mark.e2e
# Longer than a transfer waits for: it gives up at once, and the job tries again.
AWAY = Status(status=503, retry_after_s=400, target="*/resolve/*")


async def failed(site: Site, services: Services, job: Job, code: ErrorCode) -> Job:
    """The job, failed for this reason; the volume is as it was before it."""
    read = await reached(services, job, JobState.FAILED)
    assert read.error is not None
    assert read.error.code is code
    assert (read.dedupe_key, read.lease_owner, read.result) == (None, None, None)
    assert not (site.root / TARGET).exists()
    assert await services.weights.at("default", TARGET) is None
    told = await events(services)
    assert (told[-1], told.count("job.failed")) == ("job.failed", 1)
    assert not {"job.completed", "weights.installed"} & set(told)
    return read


async def test_hub_that_stays_away_exhausts_the_attempts(
    site: Site, services: Services, hub: HubDouble
):
    job = await install(services)
    hub.faults.hub.set(AWAY)
    await services.store.write(
        lambda tx: setattr(tx.session.get_one(Job, job.id), "max_attempts", 2)
    )
    with site.worker():
        read = await failed(site, services, job, ErrorCode.UNAVAILABLE)
    assert (read.attempt, read.crashes) == (2, 0)
    assert await events(services) == [
        "job.pending", "job.running", "job.pending", "job.running", "job.failed",
    ]  # fmt: skip
    lines = [x.message for x in (await services.jobs.logs(job.id, first=100, after=None)).rows]
    assert [line.partition(" failed")[0] for line in lines if " of 2 failed" in line] == [
        "attempt 1 of 2", "attempt 2 of 2",
    ]  # fmt: skip


async def test_hub_that_comes_back_is_asked_again(site: Site, services: Services, hub: HubDouble):
    job = await install(services)
    hub.faults.hub.set(Status(status=503, retry_after_s=400, target="*/resolve/*", times=1))
    with site.worker():
        read = await reached(services, job, JobState.COMPLETED)
    assert (read.attempt, read.error) == (2, None)


@pytest.mark.parametrize("how", ["on its way", "on the hub"])
async def test_other_content_than_listed_is_never_published(
    site: Site, services: Services, hub: HubDouble, how: str
):
    job = await install(services)
    if how == "on its way":
        hub.faults.cdn.set(Corrupt(offset=1 << 20))
    else:
        other = FILES[WEIGHTS][:-1] + bytes([FILES[WEIGHTS][-1] ^ 1])
        hub.mutate(REPO, WEIGHTS, other)
    with site.worker():
        read = await failed(site, services, job, ErrorCode.CORRUPT)
        await eventually(lambda: site.staged() == [])
    assert (read.attempt, read.error_retryable) == (1, False)


@pytest.mark.parametrize(
    ("change", "code"), [({"gated": "auto"}, ErrorCode.GATED), ({"private": True}, None)]
)
async def test_repository_that_was_closed_meanwhile_fails_the_job_with_its_reason(
    site: Site, services: Services, hub: HubDouble, change: dict, code: ErrorCode | None
):
    job = await install(services)
    hub.add(tiny(**change))
    with site.worker():
        read = await failed(site, services, job, code or ErrorCode.NOT_FOUND)
        await eventually(lambda: site.staged() == [])
    assert read.attempt == 1
    assert read.error_hint
    assert hub.counters.cdn.body_bytes == 0


async def test_target_that_appeared_meanwhile_is_left_alone(site: Site, services: Services):
    job = await install(services)
    mine = site.root / TARGET
    mine.mkdir(parents=True)
    (mine / "mine").write_text("mine")
    with site.worker():
        read = await reached(services, job, JobState.FAILED)
        await eventually(lambda: site.staged() == [])
    assert read.error_code is ErrorCode.ALREADY_EXISTS
    assert [p.name for p in mine.iterdir()] == ["mine"]


async def test_job_that_takes_its_workers_down_is_given_up(
    site: Site, services: Services, hub: HubDouble
):
    hub.faults.cdn.set(Rate(bytes_per_s=1 << 19))
    job = await install(services)
    await services.store.write(
        lambda tx: setattr(tx.session.get_one(Job, job.id), "max_crashes", 1)
    )
    with site.worker(MLLM_JOBS__LEASE_TTL_S="2") as worker:
        await under_way(site)
        worker.signal(signal.SIGKILL)
        worker.wait()
    with site.worker():
        read = await failed(site, services, job, ErrorCode.CRASHED)
    assert (read.attempt, read.crashes) == (0, 1)
