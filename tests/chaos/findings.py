"""Gathers the facts of a run: from the database, the disk, the trails and logs of the workers."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from core.feed.entity import Event
from core.jobs.entity import Job
from core.weights.volume import MANIFEST, STAGING
from infra.db.store import Store, Tx
from tests.chaos import trail
from tests.chaos.followers import Followers
from tests.chaos.installation import Installation
from tests.chaos.invariants import EventFact, Facts, JobFact
from tests.chaos.people import Told
from tests.chaos.plan import Wish


def clock_offset_s() -> float:
    """Wall clock minus monotonic clock: what a log's time stamps are shifted by."""
    return time.time() - time.monotonic()


async def gather(
    store: Store,
    installation: Installation,
    *,
    told: Told,
    wishes: Sequence[Wish],
    followers: Followers,
    offset_s: float,
) -> Facts:
    """The workers have ended, so that nothing changes any more."""
    jobs, events = await store.read(_rows)
    lives = installation.lives
    return Facts(
        accepted=told.jobs,
        cancelled=frozenset(told.cancelled),
        jobs=jobs,
        events=events,
        runs=[r for w in lives for r in trail.runs(w.log, w.pid, offset_s=offset_s)],
        touches=[touch for worker in lives for touch in trail.touches(worker.trail)],
        died={w.pid: w.killed_s for w in lives if w.killed_s is not None},
        stood={worker.pid: worker.stops for worker in lives},
        staged=sorted(path.name for path in (installation.weights / STAGING).iterdir()),
        folders=_folders(installation.weights),
        expected={wish.target: _digests(wish) for wish in wishes},
        views=followers.views,
        job_views=followers.jobs,
    )


def _rows(tx: Tx) -> tuple[list[JobFact], list[EventFact]]:
    jobs = [
        JobFact(
            job.id,
            job.state,
            job.epoch,
            str(job.input["target"]),
            lines=job.log_count,
            held=job.dedupe_key is not None or job.lease_owner is not None,
            error=job.error_code,
        )
        for job in tx.session.scalars(select(Job))
    ]
    columns = select(Event.seq, Event.id, Event.type, Event.subject_id).order_by(Event.seq)
    return jobs, [EventFact(*row) for row in tx.session.execute(columns)]


def _folders(root: Path) -> dict[str, dict[str, str]]:
    """By target, every file below it but the manifest. Targets have two parts."""
    found: dict[str, dict[str, str]] = {}
    for folder in root.glob("[!.]*/*"):
        found[str(folder.relative_to(root))] = {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file() and path != folder / MANIFEST
        }
    return found


def _digests(wish: Wish) -> dict[str, str]:
    files = wish.repository.files
    contents = {path: c if isinstance(c, bytes) else c.read_bytes() for path, c in files.items()}
    return {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
