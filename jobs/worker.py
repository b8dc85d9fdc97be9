"""The worker and sync processes: settings once, services once, then the loops until a signal."""

import asyncio
import signal
from typing import Literal

import structlog

from core.services import Services, open_services
from infra.settings import Settings
from infra.tasks import Background
from jobs.cleanup import discard_orphans
from jobs.runner import Runner
from jobs.sync import keep_house
from jobs.wakeups import Wakeups

log = structlog.get_logger()

Role = Literal["worker", "sync"]


async def serve(settings: Settings, role: Role) -> None:
    """Runs until SIGTERM or SIGINT; then hands over its jobs and closes everything."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_services(settings, follows_events=False) as services:
        if role == "worker":
            await _work(services, stop)
        else:
            await keep_house(services, stop)


async def _work(services: Services, stop: asyncio.Event) -> None:
    runner = Runner(services)
    await runner.lease.arrive()
    wakeups = Wakeups(services.settings.redis.url, wake=runner.wake, cancelled=runner.drop)
    log.info("worker.ready", owner=runner.lease.owner)
    async with Background() as background:
        background.start("jobs.lease", runner.lease.renew_forever)
        background.start("jobs.ticks", runner.reporter.tick_forever)
        background.start("jobs.flush", runner.reporter.flush_forever)
        background.start("jobs.sweeper", services.jobs.sweep_forever)
        background.start("jobs.cancels", wakeups.hear_cancels_forever)
        background.start("jobs.wakeups", wakeups.poll_forever)
        background.start("jobs.look", runner.look_forever)
        background.start("jobs.orphans", lambda: discard_orphans(services))
        await stop.wait()
        log.info("worker.stopping")
        await runner.stop()
    await wakeups.aclose()
    await runner.lease.leave()
