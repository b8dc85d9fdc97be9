"""A worker dies between the rename that publishes and the end of the job, and then the job is
cancelled: nobody is left who could undo it. Found by the chaos harness.
"""

import pytest

from core.jobs import claim, sweeper
from core.jobs.entity import Job
from core.jobs.kinds import JobState
from core.services import Services
from tests.core.jobs.making import changed, expired
from tests.jobs.site import (
    ANN,
    FILES,
    TARGET,
    WANTED,
    Site,
    eventually,
    install,
    reached,
)


async def published_and_cancelled(services: Services) -> Job:
    """The job, once the lease of its dead worker is over."""
    job = await install(services)
    store, volume = services.store, services.weights.volume
    taken = await store.write(claim.claim, owner="dead", lease_ttl_s=60)
    assert taken is not None
    staged = volume.staging_folder(job.id)
    for path, content in FILES.items():
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).write_bytes(content)
    volume.write_manifest(staged, {"jobId": job.id, "files": []})
    volume.publish(staged, TARGET, overwrite=False)
    await services.jobs.cancel(job.id, ANN)
    await expired(store, job.id)
    await store.write(sweeper.unlock)
    return job


async def test_target_of_a_cancelled_job_goes_although_its_worker_died(
    site: Site, services: Services
):
    await published_and_cancelled(services)
    with site.worker() as worker:
        worker.expect('"target.taken_back"')
        worker.expect('"staging.discarded"')
        await eventually(lambda: not (site.root / TARGET).exists() and site.staged() == [])
        again = await install(services)
        await reached(services, again, JobState.COMPLETED)
    assert site.published() == WANTED


async def test_retry_goes_on_from_what_the_cancelled_job_had_published(
    site: Site, services: Services
):
    """It was told for ever that the weights are there already."""
    job = await published_and_cancelled(services)
    again = await services.jobs.retry(job.id, ANN)  # holds the target, so that nobody tidies it up
    with site.worker():
        await reached(services, again, JobState.COMPLETED)
    assert site.published() == WANTED
    assert site.hub.counters.cdn.body_bytes == 0


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.RUNNING])
async def test_target_of_any_other_job_stays(site: Site, services: Services, state: JobState):
    job = await published_and_cancelled(services)
    await changed(services.store, job.id, state=state)
    assert await services.jobs.given_up() == []


async def test_target_that_somebody_works_on_stays(site: Site, services: Services):
    job = await published_and_cancelled(services)
    assert [given_up.id for given_up in await services.jobs.given_up()] == [job.id]
    retry = await services.jobs.retry(job.id, ANN)
    assert retry.dedupe_key == job.works_on
    assert await services.jobs.given_up() == []
