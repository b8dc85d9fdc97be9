"""A worker that stops while it is just taking a job."""

import asyncio
import threading

from core.jobs.kinds import JobState
from core.services import Services
from infra.db.store import Tx
from jobs.runner import Runner
from tests.jobs.site import DEADLINE_S, events, eventually, install, state


async def test_job_that_is_being_taken_when_the_worker_stops_is_handed_over(services: Services):
    """The claim commits after the stop began: else its lease would have to run out."""
    job = await install(services)
    runner = Runner(services)
    await runner.lease.arrive()
    writing, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def busy(_tx: Tx) -> None:
        loop.call_soon_threadsafe(writing.set)
        assert go_on.wait(DEADLINE_S)

    blocker = asyncio.create_task(services.store.write(busy))
    await asyncio.wait_for(writing.wait(), DEADLINE_S)
    looking = asyncio.create_task(runner.look_forever())
    # The claim now waits for its turn in the lane of writes
    await eventually(lambda: services.store._lanes["write"]._work_queue.qsize() == 1)
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait_for(stopping, DEADLINE_S)
    looking.cancel()
    await asyncio.gather(blocker, looking, return_exceptions=True)
    read = await state(services, job)
    assert (read.state, read.attempt, read.crashes) == (JobState.PENDING, 0, 0)
    assert read.lease_owner is None
    assert await events(services) == ["job.pending", "job.running", "job.pending"]
