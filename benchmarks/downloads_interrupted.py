"""What an interrupted download costs: bytes that come twice after a SIGKILL, and how long a stop
takes. One file of 512 MiB, as fast as loopback gives it. Told are the bytes that the engine had
received and written, and those that the server handed to its sockets: with what was under way.

scripts/bench downloads_interrupted
"""

import asyncio
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks._downloads_data import REPOSITORIES, make
from benchmarks.downloads import Quiet, planned, served
from infra.hub.errors import TransferStopped
from infra.hub.transfer.engine import transfer

REPO = "bench/one"
SIZE = sum(REPOSITORIES[REPO].values())
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
ROUNDS = 3
STOPS = 20


class Told(Quiet):
    """Sets `reached` when that many bytes are there."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self._size_bytes = size_bytes
        self.reached = threading.Event()
        self.first_bytes = 0

    def advanced(self, path: str, bytes_delta: int) -> None:
        self.first_bytes = self.first_bytes or bytes_delta
        super().advanced(path, bytes_delta)
        if self.bytes >= self._size_bytes:
            self.reached.set()


def sent(endpoint: str) -> int:
    with urllib.request.urlopen(f"{endpoint}/sent") as answer:
        return int(answer.read())


def killed(endpoint: str, target: Path, share: float) -> tuple[float, float]:
    """Bytes received, and sent, for a download that is killed once, in shares of its size."""
    shutil.rmtree(target, ignore_errors=True)
    before = sent(endpoint)
    told = Told(int(SIZE * share))
    out, into = os.pipe()
    child = os.fork()
    if child == 0:

        def die() -> None:
            told.reached.wait()
            os.write(into, str(told.bytes).encode())
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=die, daemon=True).start()
        plan = asyncio.run(planned(endpoint, REPO))
        transfer(plan, target, told, threading.Event())
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit("it ended before it was killed")
    had_bytes = int(os.read(out, 20))
    os.close(out)
    os.close(into)
    plan = asyncio.run(planned(endpoint, REPO))
    again = Told(1)  # the first that is told of is what was there
    transfer(plan, target, again, threading.Event())
    received = had_bytes + SIZE - again.first_bytes
    return received / SIZE, (sent(endpoint) - before) / SIZE


def stopped(endpoint: str, target: Path, share: float) -> float:
    """Seconds from the stop until the transfer has returned."""
    shutil.rmtree(target, ignore_errors=True)
    plan = asyncio.run(planned(endpoint, REPO))
    told, stop = Told(int(SIZE * share)), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(transfer, plan, target, told, stop)
        told.reached.wait()
        began_s = time.perf_counter()
        stop.set()
        try:
            running.result()
        except TransferStopped:
            return time.perf_counter() - began_s
    raise SystemExit("it ended before it was stopped")


def main() -> None:
    memory = sys.argv[1] if len(sys.argv) > 1 else "/dev/shm"
    with (
        tempfile.TemporaryDirectory(prefix="mllm-bench-") as disk,
        tempfile.TemporaryDirectory(prefix="mllm-bench-", dir=memory) as folder,
    ):
        os.environ["HF_HOME"] = f"{folder}/hf-home"
        data, target = Path(disk) / "data", Path(folder) / "target"
        make(data)
        with served(data, None) as endpoint:
            for share in SHARES:
                totals = [killed(endpoint, target, share) for _ in range(ROUNDS)]
                received, on_wire = (" ".join(f"{t[at]:.3f}" for t in totals) for at in (0, 1))
                print(f"killed at {share:4.0%}: received {received}, sent {on_wire}", flush=True)
            waits = sorted(
                stopped(endpoint, target, random.uniform(0.05, 0.9)) for _ in range(STOPS)
            )
    p95 = waits[int(len(waits) * 0.95)]
    print(f"stopped: median {statistics.median(waits):.3f} s, p95 {p95:.3f} s (n={STOPS})")


if __name__ == "__main__":
    main()
