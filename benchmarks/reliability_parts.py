"""The parts that jobs and events stand on: start of Valkey, recovery of the bus, a stalled reader,
and many replicas that migrate at once.

scripts/bench reliability_parts
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bus_fanout import Rows
from benchmarks.reliability import show
from infra.bus.backend import StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.signal import CHANNEL, Signal
from infra.bus.subscription import Subscription
from infra.valkey import Valkey
from tests.postgres import Cluster
from tests.stack import ROOT, environment

STARTS = 20
REPLICAS = 8
ROUNDS = 3
STALLED_SIGNALS = 20_000
DETAIL = {"text": "x" * 1000}
# The log is not compared meanwhile, so that only the transport can bring a signal
NEVER_S = 3600.0


def valkey_starts(folder: Path) -> None:
    found = []
    for n in range(STARTS):
        began_s = time.perf_counter()
        with Valkey.start(folder / f"valkey-{n}"):
            found.append(time.perf_counter() - began_s)
    show("Valkey ready", found, unit="ms", shares=(0.5, 0.95, 1))


async def recoveries(folder: Path, *, down_s: float, count: int) -> None:
    """From the moment that Valkey answers again to the first signal that a subscriber gets."""
    server = Valkey.start(folder)
    backend, rows = StreamLogBackend(server.url), Rows()
    found = []
    async with (
        EventHub(backend, rows, idle_s=NEVER_S) as hub,
        hub.subscribe(lambda _signal: True) as subscription,
    ):
        await backend.publish(CHANNEL, rows.commit().encode())
        await anext(subscription)
        for _ in range(count):
            server.send_signal(signal.SIGKILL)
            server.process.wait()
            await asyncio.sleep(down_s)
            server = Valkey.spawn(folder, log_path=folder / "valkey.log")
            while not server.ready():  # noqa: ASYNC110 - a socket
                await asyncio.sleep(0.002)
            answers_s = time.perf_counter()
            await backend.publish(CHANNEL, rows.commit().encode())
            await anext(subscription)
            found.append(time.perf_counter() - answers_s)
    server.stop()
    show(f"bus: back after {down_s} s away", found, unit="ms", shares=(0.5, 0.95, 1))


async def stalled_reader(folder: Path) -> None:
    """What a subscription that nobody reads holds, and what another one feels of it."""
    with Valkey.start(folder) as server:
        backend, rows = StreamLogBackend(server.url), Rows()
        async with EventHub(backend, rows) as hub, hub.subscribe(_durable) as read:
            without = await _flood(backend, rows, read)
            async with hub.subscribe(lambda signal: not _durable(signal)):
                with_one = await _flood(backend, rows, read)
    more_kb = (with_one.grown_bytes - without.grown_bytes) / 1000
    print(f"  a stalled reader holds {more_kb:.0f} kB after {STALLED_SIGNALS} signals of 1 kB")
    show("another reader, without it", without.waits_s, unit="ms")
    show("another reader, with it", with_one.waits_s, unit="ms")


def _durable(signal: Signal) -> bool:
    return signal.seq is not None


@dataclass(frozen=True, slots=True)
class Flood:
    grown_bytes: int
    waits_s: list[float]


async def _flood(backend: StreamLogBackend, rows: Rows, read: Subscription) -> Flood:
    """20,000 ticks, and behind each hundred of them a signal for the reader."""
    tracemalloc.start()
    waits_s = []
    for n in range(STALLED_SIGNALS):
        tick = Signal("job.tick", f"job_{n}", detail=DETAIL)
        await backend.publish(CHANNEL, tick.encode())
        if n % 100 == 99:
            began_s = time.perf_counter()
            await backend.publish(CHANNEL, rows.commit().encode())
            await anext(read)
            waits_s.append(time.perf_counter() - began_s)
    grown_bytes, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Flood(grown_bytes, waits_s)


def migrations(url_of_empty: Callable[[], str], name: str) -> None:
    """Errors, and how much longer eight take than one."""
    alone, together, errors = [], [], 0
    for _ in range(ROUNDS):
        alone.append(_migrate(url_of_empty(), 1)[0])
        took_s, failed = _migrate(url_of_empty(), REPLICAS)
        together.append(took_s)
        errors += failed
    show(f"migration of {name}, one process", alone, unit="s", shares=(0.5, 1))
    show(f"migration of {name}, {REPLICAS} at once", together, unit="s", shares=(0.5, 1))
    print(f"  {errors} of {ROUNDS * REPLICAS} failed")


def _migrate(url: str, count: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory(prefix="mllm-bench-") as home:
        env = environment(Path(home), {"MLLM_DATABASE_URL": url})
        began_s = time.perf_counter()
        words = [sys.executable, "-m", "migrations"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen(words, cwd=ROOT, env=env, **quiet) for _ in range(count)]
        codes = [process.wait(120) for process in started]
        return time.perf_counter() - began_s, sum(code != 0 for code in codes)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mllm-bench-") as temporary:
        folder = Path(temporary)
        valkey_starts(folder)
        asyncio.run(recoveries(folder / "recovery", down_s=0.5, count=20))
        asyncio.run(recoveries(folder / "recovery", down_s=4.0, count=10))
        asyncio.run(stalled_reader(folder / "stalled"))
        names = iter(range(10_000))
        migrations(lambda: f"sqlite:///{folder}/empty-{next(names)}.db", "sqlite")
        with Cluster() as cluster:
            migrations(lambda: cluster.create(migrated=False), "postgres")


if __name__ == "__main__":
    main()
