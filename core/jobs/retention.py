"""How long ended jobs are kept, with their files and logs."""

from collections.abc import Callable
from datetime import datetime, timedelta

from core.jobs import repository
from core.jobs.kinds import TERMINAL
from infra.db.batches import in_batches
from infra.db.store import Store, Tx
from infra.settings import Jobs as JobSettings

# Each may have thousands of files and lines of log, which go with it.
BATCH = 20
DAY_S = 86_400.0


class JobRetention:
    """Removes jobs that ended long ago. Never one that has not ended, or whose run still holds what
    it worked on.
    """

    def __init__(self, store: Store, settings: JobSettings) -> None:
        self._store = store
        self._settings = settings

    async def trim(self, fence: Callable[[Tx], None]) -> int:
        """How many were removed. `fence` is called first in each transaction; what it raises rolls
        that one back and is raised.
        """
        if not self._settings.keep_ended_days:
            return 0
        # Not before its staging, from which a retry would go on
        keep_s = max(self._settings.keep_ended_days * DAY_S, self._settings.keep_failed_s)
        now = await self._store.read(repository.database_time)
        before = now - timedelta(seconds=keep_s)

        async def batch() -> int:
            if not await self._store.read(_anything, before):
                return 0
            return await self._store.write(_purge, fence, before)

        return await in_batches(batch)


def _anything(tx: Tx, before: datetime) -> bool:
    return bool(repository.purgeable(tx, ended_before=before, states=list(TERMINAL), limit=1))


def _purge(tx: Tx, fence: Callable[[Tx], None], before: datetime) -> int:
    fence(tx)
    return repository.purge(tx, ended_before=before, states=list(TERMINAL), limit=BATCH)
