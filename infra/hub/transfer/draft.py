"""One try at the content of a file: a part on the disk, which bytes it has, and their hash.

Never goes back. To start over is to begin another draft on a file of its own: what other threads
still write to the old one cannot get into the new one.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from infra.hub.snapshot import HubFile
from infra.hub.transfer.digest import Digest
from infra.hub.transfer.journal import Entry
from infra.hub.transfer.part import Part
from infra.hub.transfer.segments import Claim, Segments, Span

# What an idle worker takes over half of: claims that need that much longer and have that much to
# get. Half of it is no less than the buffer of the other worker, who may be about to fill it.
_STRAGGLES_S = 3.0
_STRAGGLES_BYTES = 4 << 20


class Superseded(Exception):
    """The file was started over meanwhile: what the claim was for is gone."""


class Draft:
    """Thread-safe. `part` is closed when the draft is over and nobody uses it any more.

    `fresh`: nothing of it is from an earlier attempt. `ready`: its room is taken, claims may begin.
    """

    def __init__(
        self, file: HubFile, part: Part, *, digest: Digest, written: Iterable[Span] = ()
    ) -> None:
        self.part = part
        self.digest = digest
        self.ready = False
        self._size_bytes = file.size_bytes
        self._segments = Segments(file.size_bytes, written)
        self.fresh = self._segments.written_bytes == 0
        self._lock = threading.Lock()
        self._users = 0
        self._over = False
        self._finishing = False

    @property
    def over(self) -> bool:
        """In place, or started over."""
        return self._over

    @property
    def written_bytes(self) -> int:
        return self._segments.written_bytes

    @property
    def prefix_bytes(self) -> int:
        return self._segments.prefix_bytes

    @property
    def complete(self) -> bool:
        return self._segments.complete

    @property
    def unclaimed_bytes(self) -> int:
        return self._segments.unclaimed_bytes

    def claimable(self, *, several: bool) -> bool:
        """`several`: besides other claims."""
        with self._lock:
            return self._claimable(several)

    def claim(self, size_bytes: int, *, several: bool) -> Claim | None:
        """None: not now. A claim uses the part until it is released."""
        with self._lock:
            claim = self._segments.claim(size_bytes) if self._claimable(several) else None
            return self._begun(claim)

    def straggles(self) -> bool:
        """Whether `take_over` would give something."""
        with self._lock:
            return self._straggler() is not None

    def take_over(self) -> Claim | None:
        """Half of what the slowest claim has yet to get; None: none is slow.

        The connection of the other worker ends with its new end, so only much is worth it.
        """
        with self._lock:
            slowest = self._straggler()
            return self._begun(self._segments.split(slowest) if slowest else None)

    def claim_all(self) -> Claim | None:
        """For who has begun it, before others know of it; None: there is nothing to fetch."""
        with self._lock:
            return self._begun(self._segments.claim(self._size_bytes))

    def release(self, claim: Claim) -> None:
        self.part.write_back(claim.start, claim.position)
        with self._lock:
            self._segments.release(claim)
        self._leave()

    def write(self, claim: Claim, data: memoryview) -> int:
        """The next bytes of the claim; gives how many the draft has then. Raises Superseded.

        On the disk first, then known to be there, then hashed: so the journal never claims more.
        """
        offset = claim.position
        self.part.write_at(offset, data)
        with self._lock:
            if self._over:
                raise Superseded
            self._segments.advance(claim, len(data))
            written_bytes = self._segments.written_bytes
        self.digest.follow(offset, data)
        return written_bytes

    def catch_up(self, buffer: memoryview, check: Callable[[], None]) -> None:
        """Hashes what was written ahead of the hash. `check`: may raise, between the pieces."""

        def read(offset: int, view: memoryview) -> int:
            check()
            return self.part.read_at(offset, view)

        self.digest.catch_up(read, prefix_bytes=self._prefix_bytes, buffer=buffer)

    def may_finish(self) -> bool:
        """Whether all is there and hashed; True for one caller only."""
        with self._lock:
            hashed = self.digest.position_bytes == self._size_bytes
            mine = hashed and self._segments.complete and not (self._over or self._finishing)
            self._finishing = self._finishing or mine
            return mine

    def end(self) -> bool:
        """False: it was over already."""
        with self._lock:
            was_over, self._over = self._over, True
            return not was_over

    def entry(self) -> Entry:
        hashed_bytes, state = self.digest.state()  # before the ranges: never ahead of them
        with self._lock:
            written = tuple(self._segments.written)
        return Entry(self.part.inode, written, hashed_bytes, state)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keeps the part open."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            unused = self._over and self._users == 0
        if unused:
            self.part.close()

    def _prefix_bytes(self) -> int:
        with self._lock:
            return 0 if self._over else self._segments.prefix_bytes

    def _claimable(self, several: bool) -> bool:
        if not self.ready or self._over or self._finishing:
            return False
        there_is = self._segments.unclaimed_bytes > 0
        return there_is and (several or not self._segments.claims)

    def _begun(self, claim: Claim | None) -> Claim | None:
        if claim is not None:
            claim.began_s = time.monotonic()
            self._users += 1
        return claim

    def _straggler(self) -> Claim | None:
        now_s = time.monotonic()
        left_s = {
            claim: _left_s(claim, now_s)
            for claim in self._segments.claims
            if claim.left_bytes >= _STRAGGLES_BYTES
        }
        slowest = max(left_s, key=left_s.__getitem__, default=None)
        slow = slowest is not None and left_s[slowest] >= _STRAGGLES_S and not self._over
        return slowest if slow else None


def _left_s(claim: Claim, now_s: float) -> float:
    """As fast as it came until now. Nothing came: as if the first byte came now."""
    came_bytes = max(1, claim.position - claim.start)
    return claim.left_bytes * (now_s - claim.began_s) / came_bytes
