"""Jobs of an api under test, step by step as a worker would do them, without one."""

from dataclasses import dataclass
from typing import Any

from core.errors import ErrorCode
from core.jobs import claim, logs
from core.jobs.entity import Job, JobError
from core.jobs.kinds import JobFileState, JobKind
from core.jobs.logs import Line
from core.jobs.service import NewFile, NewJob, queue
from core.weights.service import InstalledFile
from infra.bus.signal import CHANNEL, Signal
from infra.db.store import Tx
from tests.api import Api

LEASE_S = 60.0
COMMIT = "0123456789" * 4
BROKEN = JobError(ErrorCode.CORRUPT, "other bytes than the commit names", "try again", False)


def install_of(target: str) -> dict[str, Any]:
    return {
        "hubRepo": f"acme/{target}",
        "revision": COMMIT,
        "requestedRevision": None,
        "location": "default",
        "target": target,
        "allow": None,
        "ignore": None,
        "overwrite": False,
        "license": "mit",
    }


@dataclass(frozen=True, slots=True)
class Work:
    """Every step is one committed transaction of the api's own services."""

    api: Api

    def queue(self, target: str = "tiny", *, sizes: tuple[int, ...] = (60, 40)) -> Job:
        """A pending install of files `f0`, `f1`, … of these sizes in bytes."""
        new = NewJob(
            kind=JobKind.WEIGHTS_INSTALL,
            input=install_of(target),
            requested_by="ann",
            dedupe_key=f"weights:default:{target}",
            reserved_bytes=sum(sizes),
            bytes_total=sum(sizes),
            files=[NewFile(f"f{n}", size, "b" * 40, None) for n, size in enumerate(sizes)],
        )
        return self._write(queue, new, self.api.settings.jobs)

    def claim(self) -> Job:
        job = self._write(claim.claim, owner="worker", lease_ttl_s=LEASE_S)
        assert job is not None
        return job

    def start(self, target: str = "tiny", *, sizes: tuple[int, ...] = (60, 40)) -> Job:
        """Queues and claims; nothing else may be pending."""
        self.queue(target, sizes=sizes)
        return self.claim()

    def log(self, job: Job, *messages: str) -> None:
        lines = [Line(message, stage="downloading") for message in messages]
        assert self._write(logs.write, job.id, lines, epoch=job.epoch)

    def report(self, job: Job, bytes_done: int, *, sample: bool = False) -> None:
        """Progress that is written; with `sample` it enters the event log."""
        progress = claim.Progress(
            job_id=job.id,
            epoch=job.epoch,
            stage="downloading",
            bytes_done=bytes_done,
            bytes_per_second=10.0,
            files=[("f0", min(bytes_done, 60), JobFileState.RUNNING)],
            sample=sample,
        )
        assert self._write(claim.record, progress)

    def tick(self, job: Job, bytes_done: int) -> None:
        """Progress that is only told to those who watch."""
        detail = {
            "jobId": job.id,
            "epoch": job.epoch,
            "stage": "downloading",
            "progress": bytes_done / 100,
            "bytesDone": str(bytes_done),
            "bytesTotal": "100",
            "bytesPerSecond": 10.0,
        }
        signal = Signal("job.progress", job.id, detail=detail)

        async def publish() -> None:
            self.api.services.bus.publisher.publish(CHANNEL, signal.encode())

        self.api.run(publish())

    def complete(self, job: Job) -> None:
        """With the weights that it has installed."""
        files = [InstalledFile("f0", 60, "0" * 64), InstalledFile("f1", 40, "1" * 64)]

        def index(tx: Tx, job: Job) -> None:
            job.subject_id = self.api.services.weights.installed(tx, job, files).id

        self._write(claim.complete, job.id, job.epoch, {"path": "x"}, message="done", also=index)

    def fail(self, *jobs: Job) -> None:
        """All of them in one transaction."""

        def fail(tx: Tx) -> None:
            for job in jobs:
                claim.fail(tx, job.id, job.epoch, BROKEN)

        self._write(fail)

    def install(self, target: str) -> Job:
        """The whole of it."""
        job = self.start(target)
        self.complete(job)
        return job

    def _write(self, step: Any, *args: Any, **kwargs: Any) -> Any:
        return self.api.run(self.api.services.store.write(step, *args, **kwargs))
