"""Deals the planned blows to an installation, and starts again what they felled."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence

from tests.chaos.installation import Installation, Worker
from tests.chaos.plan import CDN_BYTES_PER_S, STOP_S, Blow, PlannedBlow
from tests.fakes.hub import HubDouble
from tests.fakes.hub.faults import Corrupt, Fault, Rate, Stall, Status, Truncate

PACE = Rate(bytes_per_s=CDN_BYTES_PER_S, per_connection=True)
_CDN_FAULTS: tuple[tuple[Fault, ...], ...] = (
    (Status(status=503, times=15),),
    (Truncate(after_bytes=5_000, times=15),),
    (Stall(after_bytes=5_000, duration_s=1.5, times=4),),
    (Corrupt(offset=7, times=3),),
)
_HUB_FAULTS: tuple[Fault, ...] = (
    Status(status=503, times=8),
    Status(status=429, retry_after_s=1, times=3),
)
FAULTS_LAST_S = 3.0


class Storm:
    """`dealt`: how many of each kind; `valkey_ready_s`: how long it took to be back."""

    def __init__(self, installation: Installation, hub: HubDouble, *, seed: int) -> None:
        self._installation = installation
        self._hub = hub
        self._chance = random.Random(f"storm {seed}")
        self._valkey = asyncio.Lock()
        self._api = asyncio.Lock()
        self.dealt: Counter[str] = Counter()
        self.valkey_ready_s: list[float] = []
        hub.faults.cdn.set(PACE)

    async def rage(self, blows: Sequence[PlannedBlow]) -> None:
        """Returns once the last blow is dealt and everything runs again."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as falling:
            for blow in blows:
                await asyncio.sleep(max(0, began_s + blow.at_s - time.monotonic()))
                falling.create_task(self._deal(blow))
        self._hub.faults.hub.set()
        self._hub.faults.cdn.set(PACE)

    async def _deal(self, blow: PlannedBlow) -> None:
        match blow.kind:
            case Blow.WORKER_KILL | Blow.WORKER_TERM | Blow.WORKER_STOP:
                await self._hit_worker(blow)
            case Blow.VALKEY_KILL | Blow.VALKEY_WIPE:
                await self._hit_valkey(blow)
            case Blow.API_KILL:
                await self._hit_api(blow)
            case Blow.HUB_FAULTS:
                await self._hit_hub()
        self.dealt[blow.kind] += 1

    async def _hit_worker(self, blow: PlannedBlow) -> None:
        slot, worker = await self._standing(blow.worker)
        if blow.kind is Blow.WORKER_STOP:
            await self._installation.stop_worker(worker, STOP_S)
            self._installation.workers[slot] = worker
            return
        if blow.kind is Blow.WORKER_KILL:
            await self._installation.kill_worker(worker)
        else:
            await self._installation.end_worker(worker)
        await asyncio.sleep(blow.pause_s)
        self._installation.start_worker(slot)

    async def _standing(self, first: int) -> tuple[int, Worker]:
        """A worker that nothing has hit, taken out of its slot: the one asked for, or another."""
        workers = self._installation.workers
        while True:
            for n in range(len(workers)):
                slot = (first + n) % len(workers)
                worker = workers[slot]
                if worker is not None:
                    assert worker.running, f"worker {worker.pid} died by itself: {worker.log}"
                    workers[slot] = None
                    return slot, worker
            await asyncio.sleep(0.05)

    async def _hit_valkey(self, blow: PlannedBlow) -> None:
        async with self._valkey:
            await self._installation.kill_valkey()
            if blow.kind is Blow.VALKEY_WIPE:
                self._installation.wipe_valkey()
            await asyncio.sleep(blow.pause_s)
            self.valkey_ready_s.append(await self._installation.start_valkey())

    async def _hit_api(self, blow: PlannedBlow) -> None:
        async with self._api:
            await self._installation.kill_api()
            await asyncio.sleep(blow.pause_s)
            self._installation.start_api()

    async def _hit_hub(self) -> None:
        self._hub.faults.cdn.set(PACE, *self._chance.choice(_CDN_FAULTS))
        self._hub.faults.hub.set(self._chance.choice(_HUB_FAULTS))
        await asyncio.sleep(FAULTS_LAST_S)
        self._hub.faults.hub.set()
        self._hub.faults.cdn.set(PACE)
