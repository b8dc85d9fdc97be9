"""One seed from start to verdict."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from core.feed.entity import FeedHead
from core.jobs.entity import Job
from core.jobs.kinds import TERMINAL
from infra.db.store import Store, Tx
from infra.settings import Database
from tests.chaos import findings, invariants, plan
from tests.chaos.followers import Followers
from tests.chaos.installation import Installation
from tests.chaos.invariants import Facts
from tests.chaos.people import People, Told
from tests.chaos.plan import Scenario, Wish
from tests.chaos.storm import Storm
from tests.fakes.hub import HubDouble
from tests.graphql_client import Client

DRAIN_S = 120.0
SETTLE_S = 20.0
LOOK_S = 0.2
RETRIES = 3  # of what has failed; what then still fails is told
CLOCK_DRIFT_S = 0.02


@dataclass(slots=True)
class Result:
    """`broken`: by invariant, what breaks it. Seconds; `recovery_s`: from the death of a worker to
    the next claim of a job that ran there, however busy the others were.
    """

    scenario: Scenario
    broken: dict[str, list[str]]
    took_s: float
    jobs: Counter[str]
    dealt: Counter[str]
    runs: int
    events: int
    reconnects: int
    recovery_s: list[float] = field(default_factory=list)
    hand_over_s: list[float] = field(default_factory=list)
    cancel_s: list[float] = field(default_factory=list)
    install_s: list[float] = field(default_factory=list)


async def run(scenario: Scenario, *, home: Path, database_url: str) -> Result:
    """Starts everything, lets the storm rage, waits for the end of every job, and judges.

    The database is migrated; nothing that was started is left. Call from the main thread.
    """
    began_s = time.monotonic()
    wishes, blows = plan.wishes(scenario), plan.blows(scenario)
    env = {
        "MLLM_DATABASE_URL": database_url,
        "MLLM_LOG_LEVEL": "debug",
        "MLLM_HUB__PARALLEL_FILES": "2",
        "MLLM_HUB__TIMEOUT_S": "3",
        "MLLM_WEIGHTS__KEEP_FREE_BYTES": "0",
        "MLLM_WEIGHTS__KEEP_FREE_PERCENT": "0",
    }
    store = Store(Database(url=database_url))
    with HubDouble([wish.repository for wish in wishes]) as hub:
        env["HF_ENDPOINT"] = hub.endpoint
        installation = Installation(home, env=env, workers=scenario.workers)
        try:
            await installation.start()
            storm = Storm(installation, hub, seed=scenario.seed)
            facts, told = await _live(installation, hub, store, storm, wishes, blows)
        finally:
            installation.close()
            await store.close()
    return Result(
        scenario=scenario,
        broken=invariants.broken(facts),
        took_s=time.monotonic() - began_s,
        jobs=Counter(job.state for job in facts.jobs),
        dealt=storm.dealt,
        runs=len(facts.runs),
        events=len(facts.events),
        reconnects=sum(view.reconnects for view in facts.views),
        recovery_s=_until_claimed(facts, facts.died),
        hand_over_s=_until_claimed(
            facts, {w.pid: w.told_to_end_s for w in installation.lives if w.told_to_end_s}
        ),
        cancel_s=told.cancel_s,
        install_s=told.install_s,
    )


async def _live(
    installation: Installation,
    hub: HubDouble,
    store: Store,
    storm: Storm,
    wishes: Sequence[Wish],
    blows: Sequence[plan.PlannedBlow],
) -> tuple[Facts, Told]:
    followers = Followers(installation.url, installation.token)
    await followers.start()
    offset_s = findings.clock_offset_s()
    async with Client(installation.url, installation.token) as client:
        people = People(client, hub, followers)
        try:
            await people.want(wishes[0])
            await _until(lambda: _all_have_begun(followers))
            async with asyncio.TaskGroup() as group:
                group.create_task(storm.rage(blows))
                for wish in wishes[1:]:
                    group.create_task(_later(people, wish))
            await _drain(store)
            people.repair(list(wishes))
            for _ in range(RETRIES):
                if not await people.retry_failed():
                    break
                await _drain(store)
            await _tidy(installation, store)
            await _until(lambda: _all_have_seen(store, followers))
        finally:
            await followers.stop()
    drift_s = abs(findings.clock_offset_s() - offset_s)
    assert drift_s < CLOCK_DRIFT_S, f"the clock was set meanwhile, by {drift_s:.3f} s: run again"
    facts = await findings.gather(
        store,
        installation,
        told=people.told,
        wishes=wishes,
        followers=followers,
        offset_s=offset_s,
    )
    return facts, people.told


async def _later(people: People, wish: Wish) -> None:
    await asyncio.sleep(wish.at_s)
    await people.want(wish)


async def _drain(store: Store) -> None:
    """Waits for the end of every job, or until it is clear that some are stuck."""
    await _until(lambda: _none_left(store), timeout_s=DRAIN_S)


async def _tidy(installation: Installation, store: Store) -> None:
    """A worker that starts clears away what killed ones have left; then all end."""
    async with asyncio.TaskGroup() as ending:
        for worker in installation.workers:
            assert worker is not None
            ending.create_task(installation.end_worker(worker))
    await _until(lambda: _none_held(store))
    last = installation.start_worker(0)
    await _until(lambda: _is_ready(last.log))
    await installation.end_worker(last)


async def _until(condition: Callable[[], Awaitable[bool]], *, timeout_s: float = SETTLE_S) -> None:
    """Waits for what has no event. After the deadline it goes on: the invariants tell what is."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if await condition():
            return
        await asyncio.sleep(LOOK_S)


async def _none_left(store: Store) -> bool:
    def left(tx: Tx) -> int:
        query = select(func.count()).select_from(Job).where(Job.state.not_in(TERMINAL))
        return int(tx.session.execute(query).scalar_one())

    return await store.read(left) == 0


async def _none_held(store: Store) -> bool:
    def held(tx: Tx) -> int:
        locked = Job.dedupe_key.is_not(None) | Job.lease_owner.is_not(None)
        return int(
            tx.session.execute(select(func.count()).select_from(Job).where(locked)).scalar_one()
        )

    return await store.read(held) == 0


async def _is_ready(log: Path) -> bool:
    return "worker.ready" in await asyncio.to_thread(log.read_text)


async def _all_have_begun(followers: Followers) -> bool:
    return all(view.ids for view in followers.views)


async def _all_have_seen(store: Store, followers: Followers) -> bool:
    head = await store.read(lambda tx: tx.session.execute(select(FeedHead.seq)).scalar_one())
    seen = all(len(view.ids) >= head for view in followers.views)
    return seen and all(view.ended and view.log_ended for view in followers.jobs)


def _until_claimed(facts: Facts, moments: Mapping[int, float]) -> list[float]:
    """For each run that went on at its process's moment: seconds until the job's next claim."""
    found = []
    for run in facts.runs:
        moment_s = moments.get(run.pid)
        if moment_s is None or run.began_s > moment_s:
            continue
        if run.ended_s is not None and run.ended_s < moment_s:
            continue
        later = [r.began_s for r in facts.runs if r.job_id == run.job_id and r.began_s > moment_s]
        if later:
            found.append(min(later) - moment_s)
    return found
