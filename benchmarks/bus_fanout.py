"""Measures the event bus over a real Valkey: publish to receive, and CPU per delivery.

    python benchmarks/bus_fanout.py [--rounds 5]

Publisher, hub and readers share one process, so the CPU of publishing is included. Rounds are
interleaved and the medians printed, for neighbours on the machine disturb single rounds.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.bus.backend import StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.signal import CHANNEL, Gap, Signal
from infra.valkey import Valkey

PACED_SIGNALS = 100
PACE_S = 0.02
BURST_SIGNALS = 2000
BURST_WINDOW = 128  # unread signals of a burst: below the queue of a reader
SUBSCRIBERS = (1, 50, 500)


class Rows:
    """A log in memory."""

    def __init__(self) -> None:
        self._rows: list[Signal] = []

    def commit(self) -> Signal:
        seq = len(self._rows) + 1
        signal = Signal("job.running", "job_a", seq=seq, event_id=f"evt_{seq:026}")
        self._rows.append(signal)
        return signal

    async def head(self) -> int:
        return len(self._rows)

    async def after(self, seq: int, limit: int) -> list[Signal]:
        return self._rows[seq : seq + limit]

    async def trimmed(self) -> int:
        return 0


class Bench:
    """A hub with readers that note how old a signal is when it arrives."""

    def __init__(self, hub: EventHub, backend: StreamLogBackend, rows: Rows) -> None:
        self._hub = hub
        self._backend = backend
        self._rows = rows
        self._published_at: dict[int, float] = {}
        self._received: dict[int, int] = {}
        self._some = asyncio.Event()
        self.latencies_s: list[float] = []

    async def publish(self) -> int:
        signal = self._rows.commit()
        seq = signal.seq or 0
        self._published_at[seq] = time.perf_counter()
        await self._backend.publish(CHANNEL, signal.encode())
        return seq

    async def received_by(self, count: int, *, seq: int) -> None:
        while self._received.get(seq, 0) < count:
            self._some.clear()
            await self._some.wait()

    async def read(self) -> None:
        async with self._hub.subscribe(lambda signal: True) as subscription:
            async for item in subscription:
                if isinstance(item, Gap) or item.seq is None:
                    raise RuntimeError(f"the benchmark is too fast for its readers: {item}")
                self.latencies_s.append(time.perf_counter() - self._published_at[item.seq])
                self._received[item.seq] = self._received.get(item.seq, 0) + 1
                self._some.set()


@dataclass(frozen=True, slots=True)
class Result:
    p50_ms: float
    p99_ms: float
    cpu_us_per_delivery: float
    signals_per_s: float


@asynccontextmanager
async def running(url: str, subscribers: int) -> AsyncIterator[Bench]:
    backend, rows = StreamLogBackend(url), Rows()
    async with EventHub(backend, rows) as hub, asyncio.TaskGroup() as readers:
        bench = Bench(hub, backend, rows)
        tasks = [readers.create_task(bench.read()) for _ in range(subscribers)]
        await asyncio.sleep(0)  # they enter
        seq = await bench.publish()
        await bench.received_by(subscribers, seq=seq)
        bench.latencies_s.clear()
        yield bench
        for task in tasks:
            task.cancel()


async def measure(url: str, subscribers: int) -> Result:
    async with running(url, subscribers) as bench:
        for _ in range(PACED_SIGNALS):
            seq = await bench.publish()
            await asyncio.sleep(PACE_S)
        await bench.received_by(subscribers, seq=seq)
        hundredths = statistics.quantiles(bench.latencies_s, n=100)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        for number in range(BURST_SIGNALS):
            seq = await bench.publish()
            if number % BURST_WINDOW == BURST_WINDOW - 1:
                await bench.received_by(subscribers, seq=seq)
        await bench.received_by(subscribers, seq=seq)
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return Result(
        p50_ms=hundredths[49] * 1e3,
        p99_ms=hundredths[98] * 1e3,
        cpu_us_per_delivery=cpu_s / BURST_SIGNALS / subscribers * 1e6,
        signals_per_s=BURST_SIGNALS / wall_s,
    )


def show(subscribers: int, results: list[Result]) -> None:
    p50_ms = statistics.median(result.p50_ms for result in results)
    p99_ms = statistics.median(result.p99_ms for result in results)
    signals_per_s = statistics.median(result.signals_per_s for result in results)
    cpu_us = statistics.median(result.cpu_us_per_delivery for result in results)
    print(
        f"{subscribers:11}  {p50_ms:12.2f}  {p99_ms:12.2f}  {signals_per_s:9.0f}"
        f"  {cpu_us:15.2f}  {1e6 / cpu_us:16,.0f}"
    )


async def main(rounds: int) -> None:
    results: dict[int, list[Result]] = {subscribers: [] for subscribers in SUBSCRIBERS}
    with tempfile.TemporaryDirectory() as folder, Valkey.start(Path(folder)) as valkey:
        for _ in range(rounds):
            for subscribers in SUBSCRIBERS:
                results[subscribers].append(await measure(valkey.url, subscribers))
    print(f"{PACED_SIGNALS} paced and {BURST_SIGNALS} burst signals, median of {rounds} rounds")
    print("subscribers  p50 paced ms  p99 paced ms  signals/s  CPU µs/delivery  deliveries/CPU-s")
    for subscribers, measured in results.items():
        show(subscribers, measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(main(parser.parse_args().rounds))
