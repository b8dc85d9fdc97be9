"""Which bytes of a file are there, which are being fetched, and which come next.

Pure bookkeeping over half-open ranges of offsets; knows no disk, no network and no threads.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]


class Spans:
    """A set of offsets, kept as few ranges [start, end) in order that neither touch nor overlap."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total_bytes = 0
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[Span]:
        return zip(self._starts, self._ends, strict=True)

    @property
    def prefix_bytes(self) -> int:
        """How far it reaches from zero without a hole."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._replace(first, last, [(start, end)])

    def discard(self, start: int, end: int) -> None:
        if start >= end:
            return
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        if first >= last:
            return
        rests = [(self._starts[first], start), (end, self._ends[last - 1])]
        self._replace(first, last, [rest for rest in rests if rest[0] < rest[1]])

    def first_gap(self, size_bytes: int) -> Span | None:
        """The first range below `size_bytes` that is not in it; None: there is none."""
        start = self.prefix_bytes
        if start >= size_bytes:
            return None
        following = bisect_right(self._starts, start)
        end = self._starts[following] if following < len(self._starts) else size_bytes
        return start, end

    def _replace(self, first: int, last: int, spans: list[Span]) -> None:
        old = sum(self._ends[first:last]) - sum(self._starts[first:last])
        self._starts[first:last] = [start for start, _ in spans]
        self._ends[first:last] = [end for _, end in spans]
        self.total_bytes += sum(end - start for start, end in spans) - old


@dataclass(slots=True, eq=False)
class Claim:
    """A range that one worker fetches in order; `position`: of its next byte.

    `began_s`: when, on a clock of the caller's.
    """

    start: int
    end: int
    position: int
    began_s: float = 0.0

    @property
    def left_bytes(self) -> int:
        return self.end - self.position


class Segments:
    """The ranges of one file; every byte is claimed by at most one worker. Not thread-safe."""

    def __init__(self, size_bytes: int, written: Iterable[Span] = ()) -> None:
        self.size_bytes = size_bytes
        self._written = Spans(written)
        self._taken = Spans(self._written)
        self.claims: list[Claim] = []

    @property
    def written(self) -> list[Span]:
        return list(self._written)

    @property
    def written_bytes(self) -> int:
        return self._written.total_bytes

    @property
    def prefix_bytes(self) -> int:
        return self._written.prefix_bytes

    @property
    def unclaimed_bytes(self) -> int:
        return self.size_bytes - self._taken.total_bytes

    @property
    def complete(self) -> bool:
        return self._written.total_bytes == self.size_bytes

    def claim(self, size_bytes: int) -> Claim | None:
        """The first bytes that nobody has or fetches; None: there are none.

        About `size_bytes` of them: a rest of less than half of that goes along.
        """
        gap = self._taken.first_gap(self.size_bytes)
        if gap is None:
            return None
        start, end = gap
        if end - start > size_bytes + size_bytes // 2:
            end = start + size_bytes
        self._taken.add(start, end)
        self.claims.append(Claim(start, end, start))
        return self.claims[-1]

    def split(self, claim: Claim) -> Claim:
        """The second half of what the claim has yet to get, which is now for another worker."""
        middle = claim.position + claim.left_bytes // 2
        self.claims.append(Claim(middle, claim.end, middle))
        claim.end = middle
        return self.claims[-1]

    def advance(self, claim: Claim, count: int) -> None:
        """The next `count` bytes of the claim are on the disk."""
        self._written.add(claim.position, claim.position + count)
        claim.position += count

    def release(self, claim: Claim) -> None:
        """What the claim did not get is for others."""
        self._taken.discard(claim.position, claim.end)
        self.claims.remove(claim)
