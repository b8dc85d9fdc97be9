"""The sync process: what is done once for a whole installation, however many replicas there are.

One of them holds the lease and does it; the others wait for its end. Never a job: what keeps the
database small must not depend on what it cleans.
"""

import asyncio
import os
import socket
import time
from functools import partial
from uuid import uuid4

import structlog

from core.feed.retention import FeedRetention
from core.jobs.retention import JobRetention
from core.services import Services
from infra.db import locks
from infra.db.locks import LeaseLost
from infra.db.store import DatabaseUnavailableError
from infra.tasks import Background
from jobs.cleanup import discard_orphans

LEASE = "housekeeping"
# Two renewals may fail before another replica takes over.
RENEWALS = 3

log = structlog.get_logger()


async def keep_house(services: Services, stop: asyncio.Event) -> None:
    """Trims and tidies up until `stop`; then another replica may go on at once."""
    housekeeper = Housekeeper(services)
    async with Background() as background:
        background.start("sync.housekeeping", housekeeper.run_forever)
        log.info("sync.ready", owner=housekeeper.owner)
        await stop.wait()
        log.info("sync.stopping")
    await housekeeper.leave()


class Housekeeper:
    """One replica: holds the lease if nobody else does, and then removes what is kept no longer:
    events, ended jobs, and the staging of jobs that will not go on. Sees to the ballast, too.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings.jobs
        self._feed = FeedRetention(services.store, services.settings.feed)
        self._jobs = JobRetention(services.store, self._settings)
        # Unique for each incarnation, as a worker's
        self.owner = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid4().hex[:8]}"
        self._mine = False
        self._due_s = 0.0

    async def run_forever(self) -> None:
        pause_s = min(
            self._settings.housekeeping_lease_s / RENEWALS, self._settings.housekeeping_every_s
        )
        while True:
            try:
                await self._turn()
            except DatabaseUnavailableError as e:
                log.warning("housekeeping.postponed", error=str(e))
            await asyncio.sleep(pause_s)

    async def leave(self) -> None:
        """Lets go of the lease; a database that is away lets it end by itself."""
        try:
            await self._services.store.write(locks.release, LEASE, owner=self.owner)
        except DatabaseUnavailableError as e:
            log.warning("housekeeping.lease_not_released", error=str(e))

    async def _turn(self) -> None:
        ttl_s = self._settings.housekeeping_lease_s
        mine = await self._services.store.write(locks.hold, LEASE, owner=self.owner, ttl_s=ttl_s)
        if mine is not self._mine:
            log.info("housekeeping.taken" if mine else "housekeeping.lost", owner=self.owner)
            self._mine = mine
        if not mine or time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + self._settings.housekeeping_every_s
        try:
            await self._clean()
        except LeaseLost:  # this process was asleep, and another one goes on
            log.warning("housekeeping.lost", owner=self.owner)
            self._mine = False

    async def _clean(self) -> None:
        began_s = time.monotonic()
        fence = partial(
            locks.require, name=LEASE, owner=self.owner, ttl_s=self._settings.housekeeping_lease_s
        )
        await self._keep_ballast()
        trimmed = await self._feed.trim(fence)
        jobs = await self._jobs.trim(fence)
        await discard_orphans(self._services)
        if trimmed.events or trimmed.samples or jobs:
            log.info(
                "housekeeping.trimmed",
                events=trimmed.events,
                samples=trimmed.samples,
                jobs=jobs,
                took_s=round(time.monotonic() - began_s, 3),
            )

    async def _keep_ballast(self) -> None:
        try:
            kept = await self._services.store.keep_ballast()
        except OSError as e:
            log.warning("ballast.not_kept", error=repr(e))
            return
        if not kept:
            log.warning("ballast.not_kept", error="the disk of the database is nearly full")
