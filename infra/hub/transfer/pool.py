"""Which worker fetches what next.

A worker stays with its file while it is alone there, so that it hashes what it has just received;
the others help where the fewest are. Half of the workers look for small files first: they cost
time at the hub, not bandwidth, and belong beside the large ones.
"""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from infra.hub.errors import TransferStopped
from infra.hub.transfer.download import Download

_POLL_S = 0.1
# What a request is worth in bytes where connections are judged by what they bring.
_REQUEST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Errand:
    """`is_first`: the download is still to be opened. `is_alone`: there are files
    enough for nobody else to come to it.
    """

    download: Download
    is_first: bool
    is_alone: bool


class Pool:
    """The files that are not in place yet. Thread-safe.

    `parallel_files`: large ones that are open at a time. `ranges_proven`: the server has sent a
    range as asked for; before that no file has two workers. `wanted`: workers. `news`: a file
    is done, a worker has ended, or `wake_at_bytes` have come.
    """

    def __init__(self, downloads: Iterable[Download], *, parallel_files: int) -> None:
        # The largest first: the last thread to end then ends early.
        ordered = sorted(downloads, key=lambda d: d.file.size_bytes, reverse=True)
        self._large = deque(download for download in ordered if download.split)
        self._small = deque(download for download in ordered if not download.split)
        self._parallel_files = parallel_files
        self._open: dict[Download, int] = {}
        self._workers = 0
        self._idle = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._score_bytes = 0
        self._refused = False
        self.received_bytes = 0
        self.wake_at_bytes = 0
        self.wanted = 1
        self.ranges_proven = False
        self.news = threading.Event()

    @property
    def worker_count(self) -> int:
        return self._workers

    @property
    def done(self) -> bool:
        """Every file is in place."""
        return not (self._open or self._large or self._small)

    @property
    def idle(self) -> bool:
        """More workers would have nothing to do."""
        return self._idle > 0

    @property
    def unclaimed_bytes(self) -> int:
        with self._changed:
            opened = sum(download.unclaimed_bytes for download in self._open)
            return opened + sum(download.file.size_bytes for download in self._large)

    def enter(self) -> None:
        with self._changed:
            self._workers += 1

    def next(self, last: Download | None, *, small_first: bool) -> Errand | None:
        """Blocks until there is something; to be given back. None: all is done, or there are more
        than `wanted`. Raises TransferStopped.
        """
        with self._changed:
            while True:
                if self._stopped:
                    raise TransferStopped("the transfer was stopped")
                if self._workers > self.wanted or self.done:
                    self._workers -= 1
                    return None
                errand = self._found(last, small_first)
                if errand is not None:
                    opened = self._open.get(errand.download, 0)
                    self._open[errand.download] = opened + 1
                    return errand
                self._idle += 1
                self._changed.wait(_POLL_S)
                self._idle -= 1

    def give_back(self, errand: Errand) -> None:
        download = errand.download
        with self._changed:
            self._open[download] -= 1
            if download.finished:
                if not self._open[download]:
                    del self._open[download]
                self._score_bytes += _REQUEST_BYTES
            self._changed.notify_all()
        self.news.set()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def received(self, count: int) -> None:
        """From any thread at any time; a lost count does no harm to what is made of it."""
        self.received_bytes += count
        self._score_bytes += count
        if self.received_bytes >= self.wake_at_bytes:
            self.news.set()

    @property
    def score_bytes(self) -> int:
        """What connections are judged by: bytes, and something for each file."""
        return self._score_bytes

    def too_many_requests(self) -> None:
        self._refused = True
        self.news.set()

    def take_refused(self) -> bool:
        """Whether the server has asked for fewer requests since the last look."""
        refused, self._refused = self._refused, False
        return refused

    def _found(self, last: Download | None, small_first: bool) -> Errand | None:
        large_open = sum(download.split for download in self._open)
        alone = large_open + len(self._large) >= self._workers
        if small_first and self._small:
            return Errand(self._small.popleft(), is_first=True, is_alone=alone)
        if last is not None and self._open.get(last) == 0 and self._claimable(last):
            return Errand(last, is_first=False, is_alone=alone)
        if self._large and large_open < self._parallel_files:
            return Errand(self._large.popleft(), is_first=True, is_alone=alone)
        helped = [download for download in self._open if self._claimable(download)]
        if not (helped or self._small):
            proven = self.ranges_proven
            helped = [d for d in self._open if d.straggles(ranges_proven=proven)]
        if helped:
            fewest = min(helped, key=lambda d: self._open[d])
            return Errand(fewest, is_first=False, is_alone=alone)
        if self._small:
            return Errand(self._small.popleft(), is_first=True, is_alone=alone)
        return None

    def _claimable(self, download: Download) -> bool:
        return download.claimable(ranges_proven=self.ranges_proven)
