"""How long a submitted job waits: from the answer to weightsInstall until the job runs, and until
it has completed.

Starts everything as `make serve` does, with a hub on loopback that serves a repository of two small
files.

scripts/bench submit
"""

import asyncio
import statistics
import time

from mllm_client import Client

from tests.fakes.hub import HubDouble, Repository
from tests.stack import Stack

JOBS = 25


async def measure(stack: Stack) -> list[tuple[float, float, float]]:
    """Seconds for each job: the mutation itself, its answer to RUNNING, its answer to COMPLETED."""
    found = []
    async with Client(stack.url, stack.token) as client:
        for n in range(JOBS + 1):
            began_s = time.perf_counter()
            answer = await client.weights_install(hub_repo="bench/small", target=f"bench/{n}")
            answered_s = time.perf_counter()
            running_s = None
            async for job in client.job_updated(answer.job.id):
                if running_s is None and job.state != "PENDING":
                    running_s = time.perf_counter()
                if job.state == "COMPLETED":
                    break
            ended_s = time.perf_counter()
            found.append((answered_s - began_s, running_s - answered_s, ended_s - answered_s))
    return found[1:]  # the first pays for connections


def main() -> None:
    small = Repository(id="bench/small", files={"config.json": b"{}", "a.bin": b"x" * 100_000})
    with HubDouble([small]) as hub, Stack(env={"HF_ENDPOINT": hub.endpoint}, quiet=True) as stack:
        columns = list(zip(*asyncio.run(measure(stack)), strict=True))
    for name, values in zip(("mutation answered", "running", "completed"), columns, strict=True):
        ordered = sorted(values)
        p95 = ordered[int(len(ordered) * 0.95)]
        print(
            f"{name:20} median {statistics.median(values) * 1000:6.0f} ms"
            f"  p95 {p95 * 1000:6.0f} ms  max {ordered[-1] * 1000:6.0f} ms  (n={len(values)})"
        )


if __name__ == "__main__":
    main()
