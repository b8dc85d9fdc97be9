"""What one seed does: which installs, what people do to them, and which blows fall when.

All chance is here, so that a seed names a run; only the timing of the machine is not in it.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from tests.fakes.hub import Repository

# Each file is this long on its way: a run is cut in the middle of files, not between them.
CDN_BYTES_PER_S = 100_000
STOP_S = 8.0  # longer than the lease: whoever wakes up has lost its jobs
SECONDS_PER_BLOW = 2.0


class Blow(StrEnum):
    """`WORKER_*` count as kills; the others come on top."""

    WORKER_KILL = "worker killed"
    WORKER_TERM = "worker told to end"
    WORKER_STOP = "worker stopped for 8 s"
    VALKEY_KILL = "valkey killed"
    VALKEY_WIPE = "valkey killed and wiped"
    API_KILL = "api killed"
    HUB_FAULTS = "hub faults"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run: `span_s` is how long jobs come in and blows fall."""

    seed: int
    jobs: int
    kills: int
    database: str
    workers: int = 3

    @property
    def span_s(self) -> float:
        return self.kills * SECONDS_PER_BLOW

    @property
    def command(self) -> str:
        return (
            f"make chaos SEED={self.seed} SEEDS=1 JOBS={self.jobs} KILLS={self.kills}"
            f" DATABASE={self.database}"
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """One install. None: nobody does that to it. `broken`: the CDN sends other bytes until it is
    repaired, so the job fails and is retried.
    """

    repository: Repository
    target: str
    at_s: float
    priority: int
    cancel_after_s: float | None
    pause_after_s: float | None
    resume_after_s: float
    retried_when_cancelled: bool
    broken: bool


@dataclass(frozen=True, slots=True)
class PlannedBlow:
    """`worker`: which of them, for the blows that hit one. `pause_s`: until the hit part is
    started again.
    """

    kind: Blow
    at_s: float
    worker: int
    pause_s: float


def wishes(scenario: Scenario) -> list[Wish]:
    chance = random.Random(f"wishes {scenario.seed}")
    return [_wish(chance, scenario, n) for n in range(scenario.jobs)]


def blows(scenario: Scenario) -> list[PlannedBlow]:
    """In the order of time."""
    chance = random.Random(f"blows {scenario.seed}")
    kinds = [Blow.WORKER_KILL, Blow.WORKER_TERM, Blow.WORKER_STOP]
    planned = chance.choices(kinds, weights=[60, 25, 15], k=scenario.kills)
    planned += [Blow.VALKEY_KILL, Blow.VALKEY_WIPE] * max(1, scenario.kills // 8)
    planned += [Blow.API_KILL] * max(1, scenario.kills // 6)
    planned += [Blow.HUB_FAULTS] * max(1, scenario.kills // 4)
    return sorted(
        (
            PlannedBlow(
                kind,
                at_s=chance.uniform(0.5, scenario.span_s),
                worker=chance.randrange(scenario.workers),
                pause_s=chance.uniform(0, 2),
            )
            for kind in planned
        ),
        key=lambda blow: blow.at_s,
    )


def _wish(chance: random.Random, scenario: Scenario, n: int) -> Wish:
    cancelled, paused = chance.random() < 0.10, chance.random() < 0.08
    return Wish(
        repository=_repository(chance, f"chaos/{n:04}"),
        target=f"chaos/{n:04}",
        at_s=scenario.span_s * n / scenario.jobs,
        priority=chance.choice([0, 0, 0, 5, -5]),
        cancel_after_s=chance.uniform(0, 5) if cancelled else None,
        pause_after_s=chance.uniform(0, 3) if paused else None,
        resume_after_s=chance.uniform(0.2, 4),
        retried_when_cancelled=chance.random() < 0.5,
        broken=chance.random() < 0.04,
    )


def _repository(chance: random.Random, name: str) -> Repository:
    sizes = [chance.randrange(10_000, 120_000) for _ in range(chance.randrange(2, 6))]
    files: dict[str, bytes] = {
        f"model-{n}.safetensors": chance.randbytes(size) for n, size in enumerate(sizes)
    }
    files["config.json"] = b'{"name": "%s"}' % name.encode()
    files["tokenizer/vocab.txt"] = chance.randbytes(2_000)
    return Repository(id=name, files=files)
