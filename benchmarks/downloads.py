"""How fast weights get onto a disk, and what that costs: the engine against huggingface_hub.

Same run, same server on loopback (benchmarks._downloads_server), rounds in random order, medians;
warm processes: everything is imported and each run is a fork. sha256 of every file is checked by
the engine; huggingface_hub checks sizes only. `cp` is the disk's limit, without a hash. Load of
other processes moves the wall times much and the CPU times little.

scripts/bench downloads, or .venv/bin/python -m benchmarks.downloads --rounds 5 --only mixed tls
"""

import argparse
import asyncio
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._downloads_data import REPOSITORIES, certificate, make
from infra.hub.client import HubClient
from infra.hub.transfer import sha256
from infra.hub.transfer.engine import transfer
from infra.hub.transfer.plan import TransferPlan
from infra.settings import Hub

ROUNDS = 5
RUN_LIMIT_S = 540
REFERENCE = "hf w8"
# Scenario: repository, over TLS, on the disk and synced.
SCENARIOS = {
    "mixed": ("bench/mixed", False, False),
    "one": ("bench/one", False, False),
    "small": ("bench/small", False, False),
    "tls": ("bench/mixed", True, False),
    "disk": ("bench/mixed", False, True),
}
Run = tuple[float, float, float]


class Quiet:
    """An observer that only counts."""

    def __init__(self) -> None:
        self.bytes = 0

    def file_started(self, path: str) -> None: ...

    def advanced(self, path: str, bytes_delta: int) -> None:
        self.bytes += bytes_delta

    def file_verified(self, path: str, sha256: str) -> None: ...

    def retried(self, path: str, reason: str, delay_s: float) -> None: ...


async def planned(endpoint: str, repo: str) -> TransferPlan:
    client = HubClient(Hub(endpoint=endpoint))
    try:
        snapshot = await client.snapshot(repo, None)
    finally:
        await client.aclose()
    return TransferPlan(
        endpoint=endpoint,
        token=None,
        repo=repo,
        revision=snapshot.revision,
        files=snapshot.files,
        parallel_files=4,
        timeout_s=10,
    )


def own(endpoint: str, repo: str, target: Path) -> None:
    """Metadata and content, as a job does."""
    plan = asyncio.run(planned(endpoint, repo))
    transfer(plan, target, Quiet(), threading.Event())


def reference(endpoint: str, repo: str, target: Path) -> None:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - reads the environment

    snapshot_download(repo, endpoint=endpoint, local_dir=target, max_workers=8)


def copy(blobs: list[str]) -> Callable[[str, str, Path], None]:
    def run(_endpoint: str, _repo: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        os.execvp("cp", ["cp", *blobs, str(target)])

    return run


@contextmanager
def served(data: Path, tls: Path | None) -> Iterator[str]:
    """Gives the hub's address."""
    command = [sys.executable, "-m", "benchmarks._downloads_server", str(data)]
    with subprocess.Popen(
        [*command, *([str(tls)] if tls else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0]
        finally:
            server.kill()


def forked(work: Callable[[], None], *, sync: Path | None) -> Run:
    """Wall, user and system seconds. `sync`: the volume is flushed, inside the wall time."""
    if sync:
        subprocess.run(["sync", "-f", sync], check=True)
    sys.stdout.flush()
    began_s = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work()
            os._exit(0)
        except BaseException as e:  # the child must never get back into the loop of its parent
            print(f"{type(e).__name__}: {e}", file=sys.stderr, flush=True)
            os._exit(1)
    _, status, usage = os.wait4(child, 0)
    if sync:
        subprocess.run(["sync", "-f", sync], check=True)
    if status:
        raise SystemExit("a run failed")
    return time.perf_counter() - began_s, usage.ru_utime, usage.ru_stime


def measure(name: str, data: Path, memory: Path, disk: Path, rounds: int) -> None:
    repo, over_tls, synced = SCENARIOS[name]
    sizes = REPOSITORIES[repo]
    blobs = [str(data / "blobs" / f"{repo.replace('/', '-')}-{path}") for path in sizes]
    contenders = {"own": own, REFERENCE: reference, "cp": copy(blobs)}
    results: dict[str, list[Run]] = {contender: [] for contender in contenders}
    folder = disk if synced else memory
    target = folder / "target"
    ends_s = time.monotonic() + RUN_LIMIT_S
    with served(data, certificate(data) if over_tls else None) as endpoint:
        for _ in range(rounds):
            if time.monotonic() > ends_s:
                print("   (stopped for time)")
                break
            for contender in random.sample(list(contenders), len(contenders)):
                shutil.rmtree(target, ignore_errors=True)
                call = contenders[contender]
                run = forked(
                    lambda call=call: call(endpoint, repo, target),
                    sync=folder if synced else None,
                )
                got = sum(
                    path.stat().st_size
                    for path in target.rglob("*")
                    if path.is_file() and ".cache" not in path.parts
                )
                if got != sum(sizes.values()):
                    raise SystemExit(f"{contender} left {got} bytes")
                results[contender].append(run)
    shutil.rmtree(target, ignore_errors=True)
    report(name, sum(sizes.values()), results)


def report(name: str, size_bytes: int, results: dict[str, list[Run]]) -> None:
    print(f"-- {name}: {size_bytes / 1e6:.0f} MB")
    print(
        "   engine    n  wall s (min-max)       MB/s  CPU-s  CPU-s/GB   usr   sys"
        "  speed/hf  paired  cpu/hf"
    )
    reference_runs = results[REFERENCE]
    wall_hf = statistics.median(run[0] for run in reference_runs)
    cpu_hf = statistics.median(run[1] + run[2] for run in reference_runs)
    for contender, runs in results.items():
        walls = [run[0] for run in runs]
        wall = statistics.median(walls)
        usr, system = (statistics.median(run[at] for run in runs) for at in (1, 2))
        cpu = statistics.median(run[1] + run[2] for run in runs)
        paired = statistics.median(
            hf[0] / run[0] for hf, run in zip(reference_runs, runs, strict=True)
        )
        gb = size_bytes / 1e9
        print(
            f"   {contender:8} {len(runs):2}  {wall:6.2f} ({min(walls):.2f}-{max(walls):.2f})"
            f"{'':4}{size_bytes / 1e6 / wall:8.0f} {cpu:6.2f} {cpu / gb:9.2f} {usr / gb:5.2f}"
            f" {system / gb:5.2f} {wall_hf / wall:9.2f} {paired:7.2f} {cpu / cpu_hf:7.2f}"
        )


def main() -> None:
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="mllm-bench-", dir=options.disk) as disk,
        tempfile.TemporaryDirectory(prefix="mllm-bench-", dir=options.memory) as memory,
    ):
        data = Path(disk) / "data"
        make(data)
        os.environ.update(
            HF_HOME=f"{memory}/hf-home",
            HF_HUB_DISABLE_XET="1",
            HF_HUB_DISABLE_TELEMETRY="1",
            HF_HUB_DISABLE_PROGRESS_BARS="1",
            HF_HUB_DISABLE_UPDATE_CHECK="1",
            SSL_CERT_FILE=str(certificate(data)),
        )
        warm(data, Path(memory))
        for name in options.only:
            measure(name, data, Path(memory), Path(disk), options.rounds)


def warm(data: Path, memory: Path) -> None:
    """Loads what the first run of each would load."""
    sha256.sha256()
    with served(data, None) as endpoint:
        for call in (own, reference):
            forked(lambda call=call: call(endpoint, "bench/small", memory / "warm"), sync=None)
            shutil.rmtree(memory / "warm")
    import huggingface_hub.hf_api  # noqa: F401, PLC0415 - after the environment is set
    from huggingface_hub import snapshot_download  # noqa: F401, PLC0415


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.downloads")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--memory", default="/dev/shm", help="a folder on tmpfs")
    parser.add_argument("--disk", default=tempfile.gettempdir(), help="a folder on a disk")
    return parser.parse_args()


if __name__ == "__main__":
    main()
