"""The life of jobs as a state machine: whatever happens in whatever order, some things hold."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from core.errors import Conflict
from core.feed.entity import Event
from core.jobs import claim, control, logs, sweeper
from core.jobs.claim import Fenced
from core.jobs.entity import Job
from core.jobs.kinds import JobState
from infra.db.store import Store, Tx
from infra.db.types import db_now
from infra.settings import Database
from infra.settings import Jobs as JobSettings
from tests.core.jobs.making import ANN, BROKEN, changed, columns, put, take

KEYS = ["k1", "k2"]
SETTINGS = JobSettings(max_crashes=2)
TERMINAL_TYPES = {"job.completed", "job.failed", "job.cancelled"}
workers = st.sampled_from(["w1", "w2"])


class Life(RuleBasedStateMachine):
    """Runs hold on to the job as it was when they took it, as workers do, whatever happened since.

    `owning`: epochs under which a run owns its job, as the test believes.
    """

    jobs = Bundle("jobs")
    runs = Bundle("runs")

    def __init__(self, template: Path) -> None:
        super().__init__()
        self.template = template

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copyfile(self.template, self.folder / "mllm.db")
        self.store = Store(Database(url=f"sqlite:///{self.folder}/mllm.db"))
        self.epochs: dict[str, int] = {}
        self.ended: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, tuple[int, str]] = {}
        self.unacknowledged: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.loop.run_until_complete(self.store.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(target=jobs, key=st.sampled_from([*KEYS, None]), priority=st.integers(-1, 1))
    def queue(self, key: str | None, priority: int) -> Any:
        held = {job.dedupe_key for job in self.rows()} - {None}
        try:
            job = self.run(put(self.store, settings=SETTINGS, dedupe_key=key, priority=priority))
        except DBAPIError:
            assert key in held
            return multiple()
        assert key not in held
        return job.id

    @rule(target=runs, worker=workers)
    def take(self, worker: str) -> Any:
        before = {job.id: job for job in self.rows()}
        job: Job | None = self.run(take(self.store, worker))
        if job is None:
            return multiple()
        was = before[job.id]
        assert was.state is JobState.PENDING
        assert was.lease_owner is None, "no run of it goes on"
        self.owners[job.id] = (job.epoch, worker)
        return job

    @rule(run=runs)
    def renew(self, run: Job) -> None:
        found = self.run(
            self.store.heartbeat(claim.renew, [run.id], owner=run.lease_owner or "", lease_ttl_s=60)
        )
        owner = self.owners.get(run.id)
        assert found == ({run.id: owner[0]} if owner and owner[1] == run.lease_owner else {})

    @rule(run=runs)
    def report(self, run: Job) -> None:
        progress = claim.Progress(run.id, run.epoch, "x", 1, None, (), sample=True)
        assert self.run(self.store.write(claim.record, progress)) == self.owns(run)

    @rule(run=runs, line=st.sampled_from(["a", "b"]))
    def log(self, run: Job, line: str) -> None:
        wrote = self.run(self.store.write(logs.write, run.id, [logs.Line(line)], epoch=run.epoch))
        assert wrote or not self.owns(run)

    @rule(run=consumes(runs), end=st.sampled_from(["complete", "fail", "retry", "hand over"]))
    def end(self, run: Job, end: str) -> None:
        owned = self.owns(run)
        try:
            self.run(self.store.write(_end, run, end))
        except Fenced:
            assert not owned
            self.acknowledge(run)
        else:
            assert owned
            del self.owners[run.id]

    @rule(run=consumes(runs))
    def stop(self, run: Job) -> None:
        """A run that was told that its job is no longer its own."""
        if not self.owns(run):
            self.acknowledge(run)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        was = self.row(job_id)
        try:
            self.run(self.store.write(control.cancel, job_id, ANN))
        except Conflict:
            assert was.state in (JobState.COMPLETED, JobState.FAILED)
        else:
            assert was.state is JobState.CANCELLED or not was.state.terminal
            self.owners.pop(job_id, None)

    @rule(job_id=jobs)
    def pause(self, job_id: str) -> None:
        was = self.row(job_id)
        try:
            self.run(self.store.write(control.pause, job_id, ANN))
        except Conflict:
            assert was.state.terminal
        else:
            self.owners.pop(job_id, None)

    @rule(job_id=jobs)
    def resume(self, job_id: str) -> None:
        was = self.row(job_id)
        try:
            self.run(self.store.write(control.resume, job_id, ANN))
        except Conflict:
            assert was.state.terminal

    @rule(job_id=jobs)
    def lose_worker(self, job_id: str) -> None:
        """Its lease runs out, and a sweeper sees it."""
        self.run(changed(self.store, job_id, lease_until=db_now(-1)))
        expired = self.row(job_id).state is JobState.RUNNING
        assert self.run(self.store.write(sweeper.expire)) == expired
        self.run(self.store.write(sweeper.unlock))
        self.owners.pop(job_id, None)
        self.unacknowledged.discard(job_id)

    @rule(job_id=jobs)
    def wait(self, job_id: str) -> None:
        """The time of its next attempt comes."""
        self.run(changed(self.store, job_id, run_at=db_now(-1)))

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "store"):
            return
        told = self.run(self.store.read(_terminal_events))
        for job in self.rows():
            assert job.epoch >= self.epochs.get(job.id, 0), "an epoch never falls"
            self.epochs[job.id] = job.epoch
            assert told.get(job.id, 0) == job.state.terminal, "one terminal event for each end"
            assert job.attempt >= 0
            assert (job.state is JobState.RUNNING) == (job.id in self.owners)
            if job.state is JobState.RUNNING:
                assert (job.epoch, job.lease_owner) == self.owners[job.id]
            if job.state.terminal:
                self.hold_ended(job)

    def hold_ended(self, job: Job) -> None:
        first = self.ended.setdefault(job.id, columns(job))
        same = ("state", "finished_at", "result", "error_code", "message", "epoch", "attempt")
        assert [columns(job)[k] for k in same] == [first[k] for k in same], "an end is for ever"
        if job.lease_owner is None:
            assert job.dedupe_key is None, "the lock goes with the last run"

    def owns(self, run: Job) -> bool:
        return self.owners.get(run.id) == (run.epoch, run.lease_owner)

    def acknowledge(self, run: Job) -> None:
        self.run(self.store.write(claim.acknowledge, run.id, run.lease_owner))

    def row(self, job_id: str) -> Job:
        return next(job for job in self.rows() if job.id == job_id)

    def rows(self) -> list[Job]:
        return list(self.run(self.store.read(lambda tx: tx.session.scalars(select(Job)).all())))


def _end(tx: Tx, run: Job, end: str) -> Job:
    match end:
        case "complete":
            return claim.complete(tx, run.id, run.epoch, {}, message="", also=lambda _tx, _job: 0)
        case "fail":
            return claim.fail(tx, run.id, run.epoch, BROKEN)
        case "retry":
            return claim.retry_later(tx, run.id, run.epoch, BROKEN, delay_s=60)
        case _:
            return claim.hand_over(tx, run.id, run.epoch)


def _terminal_events(tx: Tx) -> dict[str, int]:
    found: dict[str, int] = {}
    for subject in tx.session.scalars(
        select(Event.subject_id).where(Event.type.in_(TERMINAL_TYPES))
    ):
        found[str(subject)] = found.get(str(subject), 0) + 1
    return found


def test_life_of_jobs(sqlite_template: Path):
    """Whatever happens in whatever order."""
    run_state_machine_as_test(
        lambda: Life(sqlite_template),
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
