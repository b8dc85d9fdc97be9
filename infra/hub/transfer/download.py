"""One file on its way: from what is on the disk, draft by draft, to verified content in place."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.hub.errors import CorruptContent, HubUnavailable
from infra.hub.snapshot import HubFile
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.digest import Digest, Mismatch
from infra.hub.transfer.draft import Draft, Superseded
from infra.hub.transfer.journal import Entry, changed_ns
from infra.hub.transfer.pace import WHOLE_BYTES
from infra.hub.transfer.part import Part
from infra.hub.transfer.plan import Observer
from infra.hub.transfer.resolve import Source
from infra.hub.transfer.segments import Claim, Span

# A server that does so without being asked for a range would go on for ever.
_MAX_ODD_RANGES = 6


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A claim, and the draft that it belongs to."""

    draft: Draft
    claim: Claim


class Download:
    """Thread-safe; opened by one thread first. Methods raise OSError where the disk fails.

    `known`: what the journal says; None: nothing. `save`: writes the journal now. `split`: large
    enough for several claims at a time. `best_bytes`: the most that a draft of it ever had.
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
        self.finished = False
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

    def open(self) -> None:
        """Takes up what is on the disk; `finished` if that is all."""
        path, size_bytes = self.file.path, self.file.size_bytes
        self._observer.file_started(path)
        known = self._known or Entry()
        if known.in_place and changed_ns(self._paths[1], size_bytes) == known.in_place[1]:
            self.finished = True
            self._observer.advanced(path, size_bytes)
            self._observer.file_verified(path, known.in_place[0])
            return
        part = Part(*self._paths)
        try:
            draft = self._taken_up(part, known)
        except BaseException:
            part.close()
            raise
        if draft.written_bytes:
            self._observer.advanced(path, draft.written_bytes)
        self.best_bytes = draft.written_bytes
        self._take(draft, reserve=True)

    def _taken_up(self, part: Part, known: Entry) -> Draft:
        size_bytes, found_bytes = self.file.size_bytes, part.size_bytes
        if known.inode != part.inode:
            known = Entry()
        if found_bytes > size_bytes:
            part.empty()
            found_bytes = 0
        written: tuple[Span, ...] = ((0, found_bytes),)
        if known.inode and not part.was_in_place and found_bytes == size_bytes:
            written = known.written
        draft = Draft(self.file, part, digest=Digest(self.file), written=written)
        if draft.prefix_bytes >= known.hashed_bytes > 0:
            hashed_bytes, state = known.hashed_bytes, known.state
            draft.digest = Digest(self.file, position_bytes=hashed_bytes, state=state)
        return draft

    def _reserve(self, draft: Draft) -> None:
        """Only after the journal tells that the room is empty, for its length says nothing."""
        if self.split and not draft.complete:
            self._save()
            draft.part.reserve(self.file.size_bytes)
        draft.ready = True

    @property
    def unclaimed_bytes(self) -> int:
        if draft := self._draft:
            return draft.unclaimed_bytes
        return 0 if self.finished else self.file.size_bytes

    def claimable(self, *, ranges_proven: bool) -> bool:
        """Whether `claim` would give something; so does it where a worker `straggles`."""
        draft = self._draft
        return draft is not None and draft.claimable(several=self._several(ranges_proven))

    def straggles(self, *, ranges_proven: bool) -> bool:
        draft = self._draft
        return draft is not None and self._several(ranges_proven) and draft.straggles()

    def claim(self, size_bytes: int, *, ranges_proven: bool) -> Work | None:
        """The next bytes to fetch, to be given back with `release`; None: not now."""
        draft, several = self._draft, self._several(ranges_proven)
        if draft is None:
            return None
        if self._single or not self.split:
            size_bytes = self.file.size_bytes
        claim = draft.claim(size_bytes, several=several)
        if claim is None and several:
            claim = draft.take_over()
        return Work(draft, claim) if claim else None

    def release(self, work: Work) -> None:
        work.draft.release(work.claim)

    def _several(self, ranges_proven: bool) -> bool:
        return self.split and ranges_proven and not self._single

    def write(self, work: Work, data: memoryview) -> None:
        """The next bytes of the claim. Raises Superseded, TransferStopped."""
        self._brake.check()
        written_bytes = work.draft.write(work.claim, data)
        with self._lock:
            self.best_bytes = max(self.best_bytes, written_bytes)
        self._observer.advanced(self.file.path, len(data))

    def settle(self, buffer: memoryview) -> None:
        """Hashes what can be; when all is, puts the file in place, or starts it over.

        Raises CorruptContent, TransferStopped.
        """
        draft = self._draft
        if draft is None:
            return
        with draft.used():
            draft.catch_up(buffer, self._brake.check)
            if not draft.may_finish():
                return
            try:
                draft.digest.check()
            except Mismatch as e:
                self.start_over(draft, e)
            else:
                self._brake.check()
                self._publish(draft)

    def _publish(self, draft: Draft) -> None:
        draft.part.publish()
        sha256 = draft.digest.sha256
        changed = changed_ns(self._paths[1], self.file.size_bytes)
        with self._lock:
            self._known = Entry(in_place=(sha256, changed)) if changed is not None else None
            self._draft = None
            self.finished = True
        draft.end()
        self._observer.file_verified(self.file.path, sha256)

    def start_over(self, draft: Draft, why: Mismatch) -> None:
        """From zero, once: what was all fetched here and is wrong again raises CorruptContent."""
        with self._lock:
            again = self._was_wrong and draft.fresh
            self._was_wrong = self._was_wrong or draft.fresh
        fresh = self._successor(draft)
        if fresh is None:
            return
        self._take(fresh, reserve=not again)
        if again:
            path, expected, actual = self.file.path, why.expected, why.actual
            message = f"{path} is not what the commit lists: {why}"
            raise CorruptContent(message, path=path, expected=expected, actual=actual) from why
        self._observer.retried(self.file.path, f"other content: {why}", 0)

    def stream(self, work: Work) -> Work:
        """The server sends the whole file whatever is asked for: it is fetched so, from zero.

        Gives the claim that takes the place of `work`, which is still to be released. Raises
        Superseded where another thread has found out before.
        """
        self._single = True
        fresh = self._successor(work.draft)
        claim = fresh.claim_all() if fresh else None
        if fresh is None or claim is None:
            raise Superseded
        self._take(fresh, reserve=True)
        return Work(fresh, claim)

    def odd_range(self, work: Work) -> None:
        """The server sends another range than asked for. Small files, and those that it happens to
        again, are fetched without ranges from now on, from zero. Raises HubUnavailable in the end.
        """
        with self._lock:
            self._odd_ranges += 1
            if self._odd_ranges > _MAX_ODD_RANGES:
                message = f"{self.file.path}: the server sends other ranges than asked for"
                raise HubUnavailable(message, path=self.file.path)
            if self.split and self._odd_ranges < 2:
                return
            self._single = True
        fresh = self._successor(work.draft)
        if fresh is not None:
            self._take(fresh, reserve=True)

    def _successor(self, draft: Draft) -> Draft | None:
        """Ends the draft and begins another; None: another thread has done so."""
        self._brake.check()  # a part that is another's by now would be emptied under its hands
        with self._lock:
            if not draft.end():
                return None
            self._draft = self._known = None
        self._save()
        draft.part.abandon()
        if draft.written_bytes:
            self._observer.advanced(self.file.path, -draft.written_bytes)
        return Draft(self.file, Part(*self._paths), digest=Digest(self.file))

    def _take(self, draft: Draft, *, reserve: bool) -> None:
        with self._lock:
            self._draft = draft
        if reserve:
            self._reserve(draft)

    def entry(self) -> Entry | None:
        """For the journal; None: it is to say nothing of this file."""
        with self._lock:
            draft, known = self._draft, self._known
        return draft.entry() if draft else known

    def close(self) -> None:
        """When no thread works at it any more; its part stays."""
        with self._lock:
            draft, self._draft = self._draft, None
        if draft is not None:
            draft.part.close()
