"""This worker's hold on its jobs: one heartbeat renews all leases, and what was not renewed is let
go in time.

A lease that could not be renewed ends in the database after `lease_ttl_s`; this worker stops its
runs one second earlier (self-fence), so that two workers never run one job at once.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from uuid import uuid4

import structlog

from core.jobs import presence
from infra.db.store import Store
from infra.settings import Jobs as JobSettings

MARGIN_S = 1.0

log = structlog.get_logger()


class Lease:
    """`running` names the jobs to renew; `renewed` is called with the epochs of those that are
    still ours, of those asked for at the given monotonic time, and with none once the lease must
    be taken for lost.
    """

    def __init__(
        self,
        store: Store,
        settings: JobSettings,
        *,
        running: Callable[[], list[str]],
        renewed: Callable[[dict[str, int], float], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._running = running
        self._renewed = renewed
        # Unique for each incarnation: a worker that was started again owns nothing of the old one.
        self.owner = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid4().hex[:8]}"
        self._held_until_s = 0.0

    @property
    def held(self) -> bool:
        """Whether the last renewal is recent enough to go on."""
        return time.monotonic() < self._held_until_s

    async def arrive(self) -> None:
        await self._beat()

    async def leave(self) -> None:
        await self._store.heartbeat(presence.leave, self.owner)

    async def renew_forever(self) -> None:
        while True:
            began_s = time.monotonic()
            try:
                async with asyncio.timeout(2 * self._settings.heartbeat_s):
                    await self._beat()
            except Exception as e:  # noqa: BLE001 — whatever the database raises: try again until the lease is over
                log.warning("lease.renewal_failed", owner=self.owner, error=repr(e))
            if not self.held:
                self._renewed({}, began_s)
            spent_s = time.monotonic() - began_s
            await asyncio.sleep(max(0.05, self._settings.heartbeat_s - spent_s))

    async def _beat(self) -> None:
        began_s = time.monotonic()
        epochs = await self._store.heartbeat(
            presence.beat, self.owner, self._running(), lease_ttl_s=self._settings.lease_ttl_s
        )
        self._held_until_s = began_s + self._settings.lease_ttl_s - MARGIN_S
        self._renewed(epochs, began_s)
