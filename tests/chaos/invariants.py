"""What must hold after any seed, as plain functions over plain facts: each says what does not.

Nothing here starts, reads or waits for anything, so each of them is tested on made-up facts.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.followers import JobView, View
from tests.chaos.trail import Run, Touch

TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
LEGAL = {
    None: {"PENDING"},
    "PENDING": {"RUNNING", "PAUSED", "CANCELLED"},
    "RUNNING": {"PENDING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"},
    "PAUSED": {"PENDING", "CANCELLED"},
}
# What the hub's faults and dying workers may lead to; anything else is a defect.
FAILURES = frozenset({"CORRUPT", "UNAVAILABLE", "TIMEOUT", "CRASHED"})
# The claim is logged after it is committed, the end of the work before the next commit: what is
# left is the resolution of a time stamp.
CLOCK_S = 0.001


@dataclass(frozen=True, slots=True)
class JobFact:
    """A row. `lines`: of its log; `held`: it still has a lock or a lease."""

    id: str
    state: str
    epoch: int
    target: str
    lines: int = 0
    held: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EventFact:
    seq: int
    id: str
    type: str
    subject_id: str | None


@dataclass(slots=True)
class Facts:
    """Everything that is known at the end. `stood`: by process, when it was stopped; `died`: when
    it was killed. `folders`: by target, what is on the disk: path and sha256; `expected`: what
    should be.
    """

    accepted: Mapping[str, str] = field(default_factory=dict)
    cancelled: frozenset[str] = frozenset()
    jobs: Sequence[JobFact] = ()
    events: Sequence[EventFact] = ()
    runs: Sequence[Run] = ()
    touches: Sequence[Touch] = ()
    died: Mapping[int, float] = field(default_factory=dict)
    stood: Mapping[int, Sequence[tuple[float, float]]] = field(default_factory=dict)
    lease_s: float = 5.0
    staged: Sequence[str] = ()
    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    expected: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    views: Sequence[View] = ()
    job_views: Sequence[JobView] = ()


def lost(facts: Facts) -> Iterable[str]:
    known = {job.id for job in facts.jobs}
    return [f"{job_id} was accepted and is not there" for job_id in facts.accepted.keys() - known]


def stuck(facts: Facts) -> Iterable[str]:
    return [f"{job.id} is still {job.state}" for job in facts.jobs if job.state not in TERMINAL]


def ended_wrongly(facts: Facts) -> Iterable[str]:
    for job in facts.jobs:
        if (job.state == "CANCELLED") != (job.id in facts.cancelled):
            yield f"{job.id} is {job.state}; cancelled by somebody: {job.id in facts.cancelled}"
        if job.state == "FAILED" and job.error not in FAILURES:
            yield f"{job.id} failed with {job.error}"
    ends = defaultdict(set)
    for job in facts.jobs:
        ends[job.target].add(job.state)
    for target, states in ends.items():
        if "FAILED" in states and not states & {"COMPLETED", "CANCELLED"}:
            yield f"{target} cannot be installed, however often it is retried"


def overlaps(facts: Facts) -> Iterable[str]:
    """Runs of one job that went on at the same time, or touched what another run worked on.

    A process that stood still for longer than its lease cannot know it when it goes on: its run
    then counts only as far as it touches anything.
    """
    touches = defaultdict(list)
    for touch in facts.touches:
        touches[touch.job_id].append(touch)
    by_job = defaultdict(list)
    for run in facts.runs:
        by_job[run.job_id].append((run.began_s, _end_s(facts, run), run))
    for job_id, spans in by_job.items():
        spans.sort(key=lambda span: span[0])
        for (_b, end_s, one), (began_s, _e, other) in _pairs(spans):
            if began_s < end_s - CLOCK_S:
                yield f"{job_id}: {_name(one)} and {_name(other)} for {end_s - began_s:.3f} s"
        for touch in touches[job_id]:
            for began_s, end_s, run in spans:
                if run.pid != touch.pid and began_s < touch.at_s < end_s - CLOCK_S:
                    yield (
                        f"{job_id}: process {touch.pid} did {touch.what}"
                        f" {touch.at_s - began_s:.3f} s into {_name(run)}"
                    )


def epochs(facts: Facts) -> Iterable[str]:
    rows = {job.id: job.epoch for job in facts.jobs}
    by_job = defaultdict(list)
    for run in sorted(facts.runs, key=lambda run: run.began_s):
        by_job[run.job_id].append(run.epoch)
    for job_id, claimed in by_job.items():
        if any(later <= earlier for earlier, later in pairwise(claimed)):
            yield f"{job_id} was claimed under epochs {claimed}"
        if rows.get(job_id, claimed[-1]) < claimed[-1]:
            yield f"{job_id} has epoch {rows[job_id]} and was claimed under {claimed[-1]}"


def histories(facts: Facts) -> Iterable[str]:
    """The states of each job, as the log tells them: legal, one end, and the row agrees."""
    told = defaultdict(list)
    for event in facts.events:
        kind, _, state = event.type.partition(".")
        if kind == "job" and state not in ("progress", "log") and event.subject_id is not None:
            told[event.subject_id].append(state.upper())
    for job in facts.jobs:
        states = told[job.id]
        for before, after in zip([None, *states], states, strict=False):
            if after not in LEGAL.get(before, set()):
                yield f"{job.id} went from {before} to {after}: {states}"
        if sum(state in TERMINAL for state in states) != (job.state in TERMINAL):
            yield f"{job.id} has not exactly one terminal event: {states}"
        if not states or states[-1] != job.state:
            yield f"{job.id} is {job.state}, and the log ends with {states[-1:]}"


def log_holes(facts: Facts) -> Iterable[str]:
    numbers = [event.seq for event in facts.events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the log's numbers are not 1 to {len(numbers)}"
    for event_id, count in Counter(event.id for event in facts.events).items():
        if count > 1:
            yield f"{event_id} is in the log {count} times"


def locks(facts: Facts) -> Iterable[str]:
    return [f"{job.id} ({job.state}) holds a lock or a lease" for job in facts.jobs if job.held]


def staging(facts: Facts) -> Iterable[str]:
    """Only a failed job may leave something, for its retry."""
    states = {job.id: job.state for job in facts.jobs}
    return [
        f"{name} ({states.get(name, 'no job')}) left something in staging"
        for name in facts.staged
        if states.get(name) != "FAILED"
    ]


def files(facts: Facts) -> Iterable[str]:
    """A target is there whole if a job for it has completed, and else not at all."""
    completed = {job.target for job in facts.jobs if job.state == "COMPLETED"}
    for target in sorted(completed | facts.folders.keys()):
        if target not in completed:
            yield f"{target} is there, and no job for it has completed"
        elif facts.folders.get(target) != facts.expected[target]:
            found, wanted = facts.folders.get(target, {}), facts.expected[target]
            wrong = sorted(p for p in found.keys() | wanted if found.get(p) != wanted.get(p))
            yield f"{target} has other files than the hub: {wrong}"


def views(facts: Facts) -> Iterable[str]:
    log = [event.id for event in facts.events]
    for view in facts.views:
        if view.gaps:
            yield f"{view.name} was told of gaps: {view.gaps[:3]}"
        if view.ids != log:
            yield _difference(view.name, view.ids, log)
    jobs = {job.id: job for job in facts.jobs}
    for told in facts.job_views:
        yield from _job_view(told, jobs.get(told.job_id))


def _job_view(told: JobView, job: JobFact | None) -> Iterable[str]:
    if job is None:
        yield f"{told.job_id} was followed and is not there"
        return
    if not told.ended or told.states[-1:] != [job.state]:
        saw = f"{told.states}, ended {told.ended}"
        yield f"jobUpdated of {job.id} saw {saw}; it is {job.state}"
    if not told.log_ended or len(told.cursors) != job.lines:
        yield f"jobLogAdded of {job.id} saw {len(told.cursors)} of {job.lines} lines"
    if len(set(told.cursors)) != len(told.cursors):
        yield f"jobLogAdded of {job.id} saw lines twice"


CHECKS: tuple[Callable[[Facts], Iterable[str]], ...] = (
    lost,
    stuck,
    ended_wrongly,
    overlaps,
    epochs,
    histories,
    log_holes,
    locks,
    staging,
    files,
    views,
)


def broken(facts: Facts) -> dict[str, list[str]]:
    """By the name of the invariant, what breaks it; empty: all hold."""
    return {check.__name__: found for check in CHECKS if (found := list(check(facts)))}


def _pairs(spans: list[tuple[float, float, Run]]) -> Iterable[tuple[tuple[float, float, Run], ...]]:
    for n, one in enumerate(spans):
        for other in spans[n + 1 :]:
            yield one, other


def _end_s(facts: Facts, run: Run) -> float:
    """When the run was over at the latest: told, dead, or standing still beyond its lease."""
    ends = [facts.died.get(run.pid, float("inf"))]
    if run.ended_s is not None:
        ends.append(run.ended_s)
    for stopped_s, continued_s in facts.stood.get(run.pid, ()):
        if stopped_s >= run.began_s and continued_s - stopped_s > facts.lease_s:
            ends.append(stopped_s)
    return min(ends)


def _name(run: Run) -> str:
    return f"epoch {run.epoch} on process {run.pid}"


def _difference(name: str, seen: Sequence[str], log: Sequence[str]) -> str:
    missing, extra = len(set(log) - set(seen)), len(set(seen) - set(log))
    twice = len(seen) - len(set(seen))
    at = next(
        (n for n, (a, b) in enumerate(zip(seen, log, strict=False)) if a != b),
        min(len(seen), len(log)),
    )
    return (
        f"{name} saw {len(seen)} of {len(log)} events: {missing} missing, {twice} twice,"
        f" {extra} unknown, first difference at {at}"
    )
