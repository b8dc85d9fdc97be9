"""One file on its way: what of it is on the disk, who fetches what, and its hash.

A draft is one try at the content. To start over is to begin another, on a file of its own: what
other threads still write to the old one cannot get into the new one.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.hub.errors import CorruptContent, HubUnavailable
from infra.hub.snapshot import HubFile
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.digest import Digest, Mismatch
from infra.hub.transfer.journal import Entry, changed_ns
from infra.hub.transfer.pace import WHOLE_BYTES
from infra.hub.transfer.part import Part
from infra.hub.transfer.plan import Observer
from infra.hub.transfer.resolve import Source
from infra.hub.transfer.segments import Claim, Segments, Span

# A server that does so without being asked for a range would go on for ever.
_MAX_ODD_RANGES = 6


class Superseded(Exception):
    """The file was started over meanwhile: what the claim was for is gone."""


@dataclass(slots=True, eq=False)
class Draft:
    """`fresh`: nothing of it is from an earlier attempt. `ready`: its room is taken.

    `users`: threads that need the open part. `over`: in place, or started over.
    """

    part: Part
    segments: Segments
    digest: Digest
    fresh: bool
    ready: bool = False
    users: int = 0
    over: bool = False
    finishing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A claim, and the draft that it belongs to."""

    draft: Draft
    claim: Claim


class Download:
    """Thread-safe; opened by one thread first. Methods raise OSError where the disk fails.

    `known`: what the journal says; None: nothing. `save`: writes the journal now.
    """

    def __init__(
        self,
        file: HubFile,
        source: Source,
        *,
        part: Path,
        target: Path,
        known: Entry | None,
        observer: Observer,
        brake: Brake,
        save: Callable[[], None],
    ) -> None:
        self.file = file
        self.source = source
        self.split = file.size_bytes > WHOLE_BYTES
        self.best_bytes = 0
        self._paths = part, target
        self._known = known
        self._observer = observer
        self._brake = brake
        self._save = save
        self._lock = threading.Lock()
        self._draft: Draft | None = None
        self._single = False
        self._was_wrong = False
        self._odd_ranges = 0
        self.finished = False

    def open(self) -> None:
        """Takes up what is on the disk; `finished` if that is all."""
        path, size_bytes = self.file.path, self.file.size_bytes
        self._observer.file_started(path)
        known = self._known or Entry()
        if known.in_place and changed_ns(self._paths[1], size_bytes) == known.in_place[1]:
            self._observer.advanced(path, size_bytes)
            self.finished = True
            self._observer.file_verified(path, known.in_place[0])
            return
        part = Part(*self._paths)
        try:
            draft = self._taken_up(part, known)
        except BaseException:
            part.close()
            raise
        if draft.segments.written_bytes:
            self._observer.advanced(path, draft.segments.written_bytes)
        with self._lock:
            self.best_bytes = draft.segments.written_bytes
            self._draft = draft
        self._reserve(draft)

    def _taken_up(self, part: Part, known: Entry) -> Draft:
        size_bytes, found_bytes = self.file.size_bytes, part.size_bytes
        if known.inode != part.inode:
            known = Entry()
        if found_bytes > size_bytes:
            part.empty()
            found_bytes = 0
        written: list[Span] = [(0, found_bytes)]
        if known.inode and not part.was_in_place and found_bytes == size_bytes:
            written = list(known.written)
        segments = Segments(size_bytes, written)
        digest = Digest(self.file)
        if segments.prefix_bytes >= known.hashed_bytes > 0:
            digest = Digest(self.file, position_bytes=known.hashed_bytes, state=known.state)
        return Draft(part, segments, digest, fresh=segments.written_bytes == 0)

    def _reserve(self, draft: Draft) -> None:
        """Only after the journal tells that the room is empty, for its length says nothing."""
        if self.split and not draft.segments.complete:
            self._save()
            draft.part.reserve(self.file.size_bytes)
        draft.ready = True

    def claimable(self, *, ranges_proven: bool) -> bool:
        with self._lock:
            return self._may_claim(ranges_proven)

    def _may_claim(self, ranges_proven: bool) -> bool:
        draft = self._draft
        if draft is None or not draft.ready or draft.finishing:
            return False
        if draft.segments.unclaimed_bytes == 0:
            return False
        several = self.split and ranges_proven and not self._single
        return several or draft.segments.claim_count == 0

    @property
    def unclaimed_bytes(self) -> int:
        with self._lock:
            draft = self._draft
            if draft is None:
                return 0 if self.finished else self.file.size_bytes
            return draft.segments.unclaimed_bytes

    def claim(self, size_bytes: int, *, ranges_proven: bool) -> Work | None:
        """The next bytes to fetch, to be given back with `release`; None: not now."""
        with self._lock:
            draft = self._draft
            if draft is None or not self._may_claim(ranges_proven):
                return None
            whole = self._single or not self.split
            claim = draft.segments.claim(self.file.size_bytes if whole else size_bytes)
            if claim is None:
                return None
            draft.users += 1
            return Work(draft, claim)

    def release(self, work: Work) -> None:
        with self._lock:
            work.draft.segments.release(work.claim)
        self._leave(work.draft)

    def write(self, work: Work, data: memoryview) -> None:
        """The next bytes of the claim. Raises Superseded, TransferStopped."""
        draft, claim = work.draft, work.claim
        offset = claim.position
        self._brake.check()
        draft.part.write_at(offset, data)
        with self._lock:
            if draft.over:
                raise Superseded
            draft.segments.advance(claim, len(data))
            self.best_bytes = max(self.best_bytes, draft.segments.written_bytes)
        self._observer.advanced(self.file.path, len(data))
        draft.digest.follow(offset, data)

    def settle(self, buffer: memoryview) -> None:
        """Hashes what can be; when all is, puts the file in place, or starts it over.

        Raises CorruptContent, TransferStopped.
        """
        with self._using() as draft:
            if draft is None:
                return

            def read(offset: int, view: memoryview) -> int:
                self._brake.check()
                return draft.part.read_at(offset, view)

            def prefix_bytes() -> int:
                with self._lock:
                    return 0 if draft.over else draft.segments.prefix_bytes

            draft.digest.catch_up(read, prefix_bytes=prefix_bytes, buffer=buffer)
            if not self._is_mine_to_finish(draft):
                return
            try:
                draft.digest.check()
            except Mismatch as e:
                self.start_over(draft, e)
            else:
                self._brake.check()
                draft.part.publish()
                self._publish(draft)

    def _is_mine_to_finish(self, draft: Draft) -> bool:
        with self._lock:
            whole = draft.digest.position_bytes == self.file.size_bytes
            mine = whole and draft.segments.complete and not (draft.over or draft.finishing)
            draft.finishing = draft.finishing or mine
            return mine

    def _publish(self, draft: Draft) -> None:
        sha256 = draft.digest.sha256
        changed = changed_ns(self._paths[1], self.file.size_bytes)
        with self._lock:
            self._known = Entry(in_place=(sha256, changed)) if changed is not None else None
            self._draft = None
            draft.over = True
            self.finished = True
        self._observer.file_verified(self.file.path, sha256)

    def start_over(self, draft: Draft, why: Mismatch) -> None:
        """From zero, once: what was all fetched here and is wrong again raises CorruptContent."""
        with self._lock:
            if draft.over:
                return
            again = self._was_wrong and draft.fresh
            self._was_wrong = self._was_wrong or draft.fresh
        self._replace(draft, reserve=not again)
        if again:
            message = f"{self.file.path} is not what the commit lists: {why}"
            expected, actual = why.expected, why.actual
            raise CorruptContent(
                message, path=self.file.path, expected=expected, actual=actual
            ) from why
        self._observer.retried(self.file.path, f"other content: {why}", 0)

    def stream(self, work: Work) -> Work:
        """The server sends the whole file whatever is asked for: it is fetched so, from zero.

        Gives the claim that takes the place of `work`, which is still to be released. Raises
        Superseded where another thread has found out before.
        """
        with self._lock:
            if work.draft.over:
                raise Superseded
            self._single = True
        claimed = self._replace(work.draft, reserve=True, claim=True)
        if claimed is None:
            raise Superseded
        return claimed

    def odd_range(self, work: Work) -> None:
        """The server sends another range than asked for. Small files, and those that it happens to
        again, are fetched without ranges from now on, from zero. Raises HubUnavailable in the end.
        """
        with self._lock:
            self._odd_ranges += 1
            if self._odd_ranges > _MAX_ODD_RANGES:
                message = f"{self.file.path}: the server sends other ranges than asked for"
                raise HubUnavailable(message, path=self.file.path)
            if work.draft.over or (self.split and self._odd_ranges < 2):
                return
            self._single = True
        self._replace(work.draft, reserve=True)

    def _replace(self, draft: Draft, *, reserve: bool, claim: bool = False) -> Work | None:
        self._brake.check()  # a part that is another's by now would be emptied under its hands
        with self._lock:
            if draft.over:
                return None
            draft.over = True
            self._draft = self._known = None
            lost_bytes = draft.segments.written_bytes
        self._save()
        draft.part.abandon()
        if lost_bytes:
            self._observer.advanced(self.file.path, -lost_bytes)
        part = Part(*self._paths)
        fresh = Draft(part, Segments(self.file.size_bytes), Digest(self.file), fresh=True)
        work = None
        with self._lock:
            self._draft = fresh
            if claim and (whole := fresh.segments.claim(self.file.size_bytes)):
                fresh.users += 1
                work = Work(fresh, whole)
        if reserve:
            self._reserve(fresh)
        return work

    def entry(self) -> Entry | None:
        """For the journal; None: it is to say nothing of this file."""
        with self._lock:
            draft = self._draft
            if draft is None:
                return self._known
        hashed_bytes, state = draft.digest.state()  # before the ranges: never ahead of them
        with self._lock:
            written = tuple(draft.segments.written)
        return Entry(draft.part.inode, written, hashed_bytes, state)

    def close(self) -> None:
        """When no thread works at it any more; its part stays."""
        with self._lock:
            draft, self._draft = self._draft, None
        if draft is not None:
            draft.part.close()

    @contextmanager
    def _using(self) -> Iterator[Draft | None]:
        with self._lock:
            draft = self._draft
            if draft is not None:
                draft.users += 1
        try:
            yield draft
        finally:
            if draft is not None:
                self._leave(draft)

    def _leave(self, draft: Draft) -> None:
        with self._lock:
            draft.users -= 1
            unused = draft.over and draft.users == 0
        if unused:
            draft.part.close()
