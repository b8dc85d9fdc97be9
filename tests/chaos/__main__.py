"""`python -m tests.chaos`: seeds one after the other, a table, and how to repeat what failed."""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from migrations.upgrade import upgrade
from tests.chaos.plan import Scenario
from tests.chaos.run import Result, run
from tests.postgres import Cluster

COLUMNS = (
    "database  seed  jobs  runs  lost  stuck  overlaps  broken  events  reconnects"
    "  recovery p50/p95/max s  hand-over p50/max s  cancel p50/p99 ms  took s"
)


def main() -> int:
    options = _options()
    kinds = ["sqlite", "postgres"] if options.database == "both" else [options.database]
    sys.stdout.write(f"{COLUMNS}\n")
    results = []
    for kind in kinds:
        with _databases(kind) as database:
            for seed in range(options.seed, options.seed + options.seeds):
                scenario = Scenario(seed, options.jobs, options.kills, kind, options.workers)
                results.append(_one(scenario, database, keep=options.keep))
                sys.stdout.write(f"{_row(results[-1])}\n")
                sys.stdout.flush()
                _complain(results[-1])
    sys.stdout.write(f"{_summary(results)}\n")
    return 1 if any(result.broken for result in results) else 0


def _one(scenario: Scenario, database: "Urls", *, keep: Path | None) -> Result:
    with tempfile.TemporaryDirectory(prefix="mllm-chaos-") as temporary:
        home = (keep or Path(temporary)) / f"{scenario.database}-{scenario.seed}"
        try:
            return asyncio.run(run(scenario, home=home, database_url=database(home)))
        except BaseException:
            sys.stdout.write(f"again: {scenario.command}\n")
            raise


class Urls:
    """Makes a migrated database for each home."""

    def __init__(self, cluster: Cluster | None) -> None:
        self._cluster = cluster

    def __call__(self, home: Path) -> str:
        if self._cluster is not None:
            return self._cluster.create()
        url = f"sqlite:///{home}.db"
        home.parent.mkdir(parents=True, exist_ok=True)
        upgrade(url)
        return url


@contextmanager
def _databases(kind: str) -> Iterator[Urls]:
    if kind == "sqlite":
        yield Urls(None)
        return
    with Cluster() as cluster:
        yield Urls(cluster)


def _complain(result: Result) -> None:
    for name, found in result.broken.items():
        sys.stdout.write(f"  {name}: {len(found)}\n")
        for line in found[:5]:
            sys.stdout.write(f"    {line}\n")
    if result.broken:
        sys.stdout.write(f"  again: {result.scenario.command}\n")


def _row(result: Result) -> str:
    scenario, broken = result.scenario, result.broken
    counts = [len(broken.get(name, ())) for name in ("lost", "stuck", "overlaps")]
    return (
        f"{scenario.database:8}  {scenario.seed:4}  {sum(result.jobs.values()):4}"
        f"  {result.runs:4}  {counts[0]:4}  {counts[1]:5}  {counts[2]:8}"
        f"  {sum(map(len, broken.values())):6}  {result.events:6}  {result.reconnects:10}"
        f"  {_spread(result.recovery_s, (0.5, 0.95, 1)):>22}"
        f"  {_spread(result.hand_over_s, (0.5, 1)):>19}"
        f"  {_spread([s * 1000 for s in result.cancel_s], (0.5, 0.99)):>17}"
        f"  {result.took_s:6.0f}"
    )


def _summary(results: Sequence[Result]) -> str:
    lines = []
    for kind in dict.fromkeys(result.scenario.database for result in results):
        these = [result for result in results if result.scenario.database == kind]
        dealt = sum((result.dealt for result in these), start=Counter[str]())
        ended = sum((result.jobs for result in these), start=Counter[str]())
        recovery = [s for result in these for s in result.recovery_s]
        hand_over = [s for result in these for s in result.hand_over_s]
        cancel = [s * 1000 for result in these for s in result.cancel_s]
        lines += [
            f"{kind}: {len(these)} seeds, {sum(ended.values())} jobs {_counts(ended)},"
            f" {sum(r.runs for r in these)} runs",
            f"  {_counts(dealt)}",
            f"  recovery n={len(recovery)} {_spread(recovery, (0.5, 0.95, 1))} s;"
            f" hand-over n={len(hand_over)} {_spread(hand_over, (0.5, 0.95, 1))} s;"
            f" cancel n={len(cancel)} {_spread(cancel, (0.5, 0.99, 1))} ms;"
            f" took {statistics.median(r.took_s for r in these):.0f} s a seed",
        ]
    failed = sum(1 for result in results if result.broken)
    return "\n".join([*lines, f"{failed} of {len(results)} runs broke an invariant"])


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))


def _spread(values: Sequence[float], shares: Sequence[float]) -> str:
    ordered = sorted(values)
    if not ordered:
        return "-"
    return "/".join(f"{ordered[min(len(ordered) - 1, int(len(ordered) * s))]:.1f}" for s in shares)


def _options() -> argparse.Namespace:
    variables = os.environ
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(variables.get("SEED", "1")), help="first")
    parser.add_argument("--seeds", type=int, default=int(variables.get("SEEDS", "1")))
    parser.add_argument("--jobs", type=int, default=int(variables.get("JOBS", "300")))
    parser.add_argument("--kills", type=int, default=int(variables.get("KILLS", "20")))
    parser.add_argument("--workers", type=int, default=int(variables.get("WORKERS", "3")))
    parser.add_argument(
        "--database",
        choices=("sqlite", "postgres", "both"),
        default=variables.get("DATABASE", "sqlite"),
    )
    parser.add_argument("--keep", type=Path, help="keeps homes and logs below this folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
