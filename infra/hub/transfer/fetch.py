"""The bytes of one file at a time, for one worker: from the server into the file's download.

A tower in which each storey has one kind of failure: other content than listed (the file starts
over), an interruption (again from where it broke), an answer (read to its end).
"""

import errno
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from infra.hub.backoff import jitter_s
from infra.hub.errors import DiskFull, HubUnavailable
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.connection import Answer, Connections, Interrupted
from infra.hub.transfer.digest import Mismatch
from infra.hub.transfer.download import Download, Work
from infra.hub.transfer.draft import Superseded
from infra.hub.transfer.pace import segment_bytes
from infra.hub.transfer.plan import Observer, TransferPlan
from infra.hub.transfer.pool import Errand, Pool
from infra.hub.transfer.watchdog import Watchdog

# In a row, without one byte more than before. With jitter they span some eight seconds.
_MAX_FAILURES = 5
# The hub counts requests in windows of 300 s (its RateLimit-Policy); longer is not worth a thread.
_MAX_DELAY_S = 300.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


class Fetcher:
    """Needs a thread of its own, like the `connections` and the `buffer` in it."""

    def __init__(
        self,
        plan: TransferPlan,
        pool: Pool,
        *,
        observer: Observer,
        brake: Brake,
        connections: Connections,
        buffer: memoryview,
    ) -> None:
        self.plan = plan
        self.pool = pool
        self.observer = observer
        self.brake = brake
        self.connections = connections
        self.buffer = buffer
        self._bytes_per_s: float | None = None

    def run(self, errand: Errand) -> None:
        """A segment of the file, and what can be hashed then.

        Raises HubError of any kind; OSError if the disk fails otherwise than by being full.
        """
        download = errand.download
        with _room(download.file.path):
            if errand.is_first:
                download.open()
                download.settle(self.buffer)
            wanted = segment_bytes(
                self._bytes_per_s,
                left_bytes=self.pool.unclaimed_bytes,
                sharers=self.pool.worker_count,
                alone=errand.is_alone,
            )
            work = download.claim(wanted, ranges_proven=self.pool.ranges_proven)
            if work is not None:
                self._fetch(download, work)
            download.settle(self.buffer)

    def _fetch(self, download: Download, work: Work) -> None:
        began_s = time.monotonic()
        segment = _Segment(self, download, work)
        try:
            segment.complete()
        except Superseded:
            return
        except Mismatch as e:
            download.start_over(segment.work.draft, e)
            return
        finally:
            download.release(segment.work)
        took_s = time.monotonic() - began_s
        if took_s > 0:
            self._bytes_per_s = segment.received_bytes / took_s


class _Segment:
    """One claim. `work`: changes when the server turns out to send whole files only."""

    def __init__(self, fetcher: Fetcher, download: Download, work: Work) -> None:
        self._fetcher = fetcher
        self._download = download
        self._size_bytes = download.file.size_bytes
        self.work = work
        self.received_bytes = 0

    def complete(self) -> None:
        failures = 0
        while self.work.claim.left_bytes and not self.work.draft.over:
            best_bytes = self._download.best_bytes
            try:
                self._receive()
            except Interrupted as e:
                # Bytes that come a second time, after a start from zero, are no progress.
                if self._download.best_bytes > best_bytes:
                    failures = 0
                failures += 1
                self._pause(e, failures)

    def _pause(self, why: Interrupted, failures: int) -> None:
        fetcher, path = self._fetcher, self._download.file.path
        if why.busy:
            fetcher.pool.too_many_requests()
        delay_s = why.delay_s
        if delay_s is None:
            delay_s = jitter_s(failures, base_s=fetcher.plan.backoff_s)
        if failures > _MAX_FAILURES or delay_s > _MAX_DELAY_S:
            message = f"{path} could not be fetched: {why}"
            raise HubUnavailable(message, path=path, retry_after_s=why.delay_s) from why
        fetcher.observer.retried(path, str(why), delay_s)
        fetcher.brake.wait(delay_s)

    def _receive(self) -> None:
        fetcher, claim = self._fetcher, self.work.claim
        fetcher.brake.check()
        start = claim.position
        end = None if claim.end == self._size_bytes else claim.end
        with self._download.source.open(fetcher.connections, start=start, end=end) as answer:
            self._accept(answer, whole=start == 0 and end is None)
            self._read(answer)

    def _read(self, answer: Answer) -> None:
        fetcher, plan = self._fetcher, self._fetcher.plan
        watchdog = Watchdog(bytes_per_s=plan.least_bytes_per_s, window_s=plan.slow_after_s)
        while left_bytes := self.work.claim.left_bytes:
            piece_bytes = plan.throttle.piece_bytes if plan.throttle else left_bytes
            count = answer.read_into(fetcher.buffer[: min(left_bytes, piece_bytes)])
            if count == 0:
                raise Interrupted(f"the answer ended {left_bytes} bytes early")
            self._download.write(self.work, fetcher.buffer[:count])
            self.received_bytes += count
            fetcher.pool.received(count)
            if plan.throttle:
                plan.throttle.take(count, fetcher.brake.wait)
                watchdog.restart()
            else:
                watchdog.note(count)

    def _accept(self, answer: Answer, *, whole: bool) -> None:
        """Sees to it that the body is what the claim needs. Raises Mismatch, Interrupted.

        `whole`: no range was asked for.
        """
        size_bytes, start = self._size_bytes, self.work.claim.position
        if answer.status == 416:
            raise Mismatch(f"{size_bytes} bytes", f"at most {start} bytes")
        if answer.status == 200:
            if answer.length_bytes not in (None, size_bytes):
                raise Mismatch(f"{size_bytes} bytes", f"{answer.length_bytes} bytes")
            if not whole:
                self._stream()
            return
        span = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range") or "")
        if span and span[3] not in ("*", str(size_bytes)):
            raise Mismatch(f"{size_bytes} bytes", f"{span[3]} bytes")
        if not span or int(span[1]) != start:
            self._download.source.forget()
            self._download.odd_range(self.work)
            raise Interrupted("the server sends another range than asked for", delay_s=0)
        self._fetcher.pool.ranges_proven = True

    def _stream(self) -> None:
        old, self.work = self.work, self._download.stream(self.work)
        self._download.release(old)


@contextmanager
def _room(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if e.errno not in _FULL:
            raise
        raise DiskFull(f"no room for {path}: {e.strerror}", path=path) from e
