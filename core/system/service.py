"""Whether this installation works, and what it is busy with."""

import asyncio
import os
from datetime import timedelta
from time import monotonic

from core.errors import Unavailable
from core.jobs.kinds import JobState
from core.jobs.service import Jobs
from core.system.state import CheckLevel, Subsystem, System
from core.weights.service import WeightsService
from core.weights.volume import DEFAULT_LOCATION, StorageUsage
from infra.db.store import DatabaseUnavailableError, Store
from infra.queue import JobQueue
from infra.settings import Settings, redacted
from infra.version import VERSION


class SystemService:
    def __init__(
        self,
        settings: Settings,
        store: Store,
        queue: JobQueue,
        jobs: Jobs,
        weights: WeightsService,
    ) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue
        self._jobs = jobs
        self._weights = weights
        self._started_s = monotonic()

    async def state(self) -> System:
        counts = await self._jobs.counts()
        return System(
            version=VERSION,
            uptime=timedelta(seconds=round(monotonic() - self._started_s, 3)),
            mode="embedded" if self._settings.embedded else "cluster",
            subsystems=await self.subsystems(),
            workers=await self._jobs.workers(),
            queue_depth=counts[JobState.PENDING],
            job_counts={state.value: n for state, n in counts.items()},
            storage=await self._storage(),
            settings=redacted(self._settings),
        )

    async def _storage(self) -> list[StorageUsage]:
        """Without a location that is gone: its subsystem says so."""
        try:
            return [await self._weights.storage(DEFAULT_LOCATION)]
        except Unavailable:
            return []

    async def subsystems(self) -> list[Subsystem]:
        """Asks each part now; takes no longer than a few seconds, whatever is down."""
        database = await self._database()
        others = await asyncio.gather(self._redis(), self._workers(database), self._volume())
        return [database, *others]

    async def _database(self) -> Subsystem:
        try:
            async with asyncio.timeout(3):
                await self._store.ping()
        except (DatabaseUnavailableError, TimeoutError) as e:
            message = f"does not answer: {e or 'time-out'}"
            return Subsystem("database", CheckLevel.FAIL, message)
        return Subsystem("database", CheckLevel.PASS, self._store.dialect)

    async def _redis(self) -> Subsystem:
        if await self._queue.connected():
            return Subsystem("redis", CheckLevel.PASS, "connected")
        message = "not connected: jobs and events go on through the database, later"
        return Subsystem("redis", CheckLevel.WARN, message)

    async def _workers(self, database: Subsystem) -> Subsystem:
        if database.state is CheckLevel.FAIL:
            return Subsystem("workers", CheckLevel.FAIL, "not known without the database")
        count = await self._jobs.workers()
        if count == 0:
            return Subsystem("workers", CheckLevel.FAIL, "no worker is running: jobs wait")
        return Subsystem("workers", CheckLevel.PASS, f"{count} running")

    async def _volume(self) -> Subsystem:
        root = self._weights.volume.root
        if await asyncio.to_thread(os.access, root, os.W_OK | os.X_OK):
            return Subsystem("weights", CheckLevel.PASS, str(root))
        return Subsystem("weights", CheckLevel.FAIL, f"{root} cannot be written")
