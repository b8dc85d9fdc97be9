"""What is tidied up when a worker starts, and once in a while: what jobs that will never go on
have left on the volume.
"""

import asyncio

import structlog

from core.services import Services

log = structlog.get_logger()


async def discard_orphans(services: Services) -> None:
    """Removes staging folders whose job has ended and lets go of its target, or does not exist.

    A worker that was killed after a cancel leaves such a folder; those of pending and running jobs
    are their progress. Before that, targets that such a worker had published go back to staging.
    """
    volume = services.weights.volume
    for job in await services.jobs.given_up():
        if await asyncio.to_thread(volume.take_back, str(job.input["target"]), job.id):
            log.info("target.taken_back", job_id=job.id)
    staged = await asyncio.to_thread(volume.staged)
    for name in await services.jobs.not_going_on(staged):
        log.info("staging.discarded", job_id=name)
        await asyncio.to_thread(volume.discard, name)
