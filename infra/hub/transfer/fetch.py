"""One file, from whatever is on the disk to verified content in place.

A tower in which each storey has one kind of failure: other content than listed (once more from
zero), an interruption (again from where it broke), an answer (read to its end).
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from infra.hub.backoff import jitter_s
from infra.hub.errors import CorruptContent, DiskFull, HubUnavailable
from infra.hub.snapshot import HubFile
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.connection import Answer, Interrupted
from infra.hub.transfer.digest import Mismatch
from infra.hub.transfer.part import Part
from infra.hub.transfer.plan import Observer
from infra.hub.transfer.resolve import Source

# In a row, without one byte more than before. With jitter they span some eight seconds.
_MAX_FAILURES = 5
# The hub counts requests in windows of 300 s (its RateLimit-Policy); longer is not worth a thread.
_MAX_DELAY_S = 300.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class Fetch:
    """Needs a thread of its own, like the `source` and the `buffer` in it."""

    file: HubFile
    part: Part
    source: Source
    observer: Observer
    brake: Brake
    buffer: memoryview

    def run(self) -> None:
        """Returns when the file is in place.

        Raises HubError of any kind; OSError if the disk fails otherwise than by being full.
        """
        path = self.file.path
        self.observer.file_started(path)
        with _room(path), self.part:
            self.part.read_back(self.buffer, self._advanced)
            self._verified()
            self.brake.check()
            self.part.publish()
            self.observer.file_verified(path, self.part.digest.sha256)

    def _verified(self) -> None:
        try:
            self._complete()
        except Mismatch as e:
            self._start_over()
            self.observer.retried(self.file.path, f"other content: {e}", 0)
        else:
            return
        try:
            self._complete()
        except Mismatch as e:
            # Nobody shall take it for the beginning of the right content.
            self._start_over()
            message = f"{self.file.path} is not what the commit lists: {e}"
            expected, actual = e.expected, e.actual
            raise CorruptContent(
                message, path=self.file.path, expected=expected, actual=actual
            ) from e

    def _complete(self) -> None:
        failures, reached_bytes = 0, self.part.position_bytes
        while self.part.position_bytes < self.file.size_bytes:
            try:
                self._receive()
            except Interrupted as e:
                # Bytes that come a second time, after a start from zero, are no progress.
                if self.part.position_bytes > reached_bytes:
                    failures, reached_bytes = 0, self.part.position_bytes
                failures += 1
                self._pause(e, failures)
        self.part.digest.check()

    def _pause(self, why: Interrupted, failures: int) -> None:
        delay_s = why.delay_s
        if delay_s is None:
            delay_s = jitter_s(failures, base_s=self.source.plan.backoff_s)
        if failures > _MAX_FAILURES or delay_s > _MAX_DELAY_S:
            path = self.file.path
            message = f"{path} could not be fetched: {why}"
            raise HubUnavailable(message, path=path, retry_after_s=why.delay_s) from why
        self.observer.retried(self.file.path, str(why), delay_s)
        self.brake.wait(delay_s)

    def _receive(self) -> None:
        self.brake.check()
        with self.source.open(from_byte=self.part.position_bytes) as answer:
            self._accept(answer)
            while left_bytes := self.file.size_bytes - self.part.position_bytes:
                count = answer.read_into(self.buffer[:left_bytes])
                if count == 0:
                    raise Interrupted(f"the answer ended {left_bytes} bytes early")
                self.brake.check()
                self.part.append(self.buffer[:count])
                self._advanced(count)

    def _accept(self, answer: Answer) -> None:
        """Sees to it that the body goes on where the part ends. Raises Mismatch, Interrupted."""
        size_bytes = self.file.size_bytes
        if answer.status == 416:
            raise Mismatch(f"{size_bytes} bytes", f"at most {self.part.position_bytes} bytes")
        if answer.status == 200:
            if self.part.position_bytes:
                self._start_over()  # the server knows no ranges
            if answer.length_bytes not in (None, size_bytes):
                raise Mismatch(f"{size_bytes} bytes", f"{answer.length_bytes} bytes")
            return
        span = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range") or "")
        if span and span[3] not in ("*", str(size_bytes)):
            raise Mismatch(f"{size_bytes} bytes", f"{span[3]} bytes")
        if not span or int(span[1]) != self.part.position_bytes:
            self._start_over()
            raise Interrupted("the server sends another range than asked for", delay_s=0)

    def _start_over(self) -> None:
        self.brake.check()  # a part that is another's by now would be emptied under its hands
        self.observer.advanced(self.file.path, -self.part.position_bytes)
        self.part.restart()

    def _advanced(self, count: int) -> None:
        self.observer.advanced(self.file.path, count)
        self.brake.check()


@contextmanager
def _room(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if e.errno not in _FULL:
            raise
        raise DiskFull(f"no room for {path}: {e.strerror}", path=path) from e
