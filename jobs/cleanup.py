"""What a worker tidies up when it starts: staging of jobs that will never go on."""

import asyncio

import structlog

from core.services import Services

log = structlog.get_logger()


async def discard_orphans(services: Services) -> None:
    """Removes staging folders whose job has ended and lets go of its target, or does not exist.

    A worker that was killed after a cancel leaves such a folder; those of pending and running jobs
    are their progress.
    """
    volume = services.weights.volume
    staged = await asyncio.to_thread(volume.staged)
    for name in await services.jobs.not_going_on(staged):
        log.info("staging.discarded", job_id=name)
        await asyncio.to_thread(volume.discard, name)
