"""What an origin has seen and sent.

Everything is counted when handed to the socket: a client that was cut off may have received less.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakSet

from aiohttp import web

RANGES_KEPT = 10_000


class ServedRange(NamedTuple):
    """A body that was begun: [start, end) of the blob."""

    sha256: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginCounters:
    """A snapshot."""

    requests: Mapping[str, int]
    """By method and route, such as `GET resolve` or `HEAD blob`."""
    statuses: Mapping[int, int]
    bytes_by_blob: Mapping[str, int]
    """Body bytes by sha256 of the file."""
    ranges: tuple[ServedRange, ...]
    """Of GET requests, oldest first; only the last 10,000 are kept."""
    connections: int
    """Those that carried a request."""
    authorized: int
    """Requests with an Authorization header."""
    auth_leaks: int
    """Those of them that reached a foreign origin: any is a defect of the client."""

    @property
    def request_count(self) -> int:
        return sum(self.requests.values())

    @property
    def body_bytes(self) -> int:
        return sum(self.bytes_by_blob.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """A snapshot of both origins."""

    hub: OriginCounters
    cdn: OriginCounters


class Tally:
    """The running counters of one origin."""

    def __init__(self, *, foreign: bool) -> None:
        self._foreign = foreign
        self.reset()

    def reset(self) -> None:
        self._requests: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._bytes: Counter[str] = Counter()
        self._ranges: deque[ServedRange] = deque(maxlen=RANGES_KEPT)
        self._seen: WeakSet[object] = WeakSet()
        self._connections = 0
        self._authorized = 0

    def request(self, request: web.Request, *, route: str) -> None:
        self._requests[f"{request.method} {route}"] += 1
        self._authorized += "Authorization" in request.headers
        if request.transport is not None and request.transport not in self._seen:
            self._seen.add(request.transport)
            self._connections += 1

    def status(self, status: int) -> None:
        self._statuses[status] += 1

    def begun(self, served: ServedRange) -> None:
        self._ranges.append(served)

    def sent(self, sha256: str, count_bytes: int) -> None:
        self._bytes[sha256] += count_bytes

    def snapshot(self) -> OriginCounters:
        return OriginCounters(
            requests=dict(self._requests),
            statuses=dict(self._statuses),
            bytes_by_blob=dict(self._bytes),
            ranges=tuple(self._ranges),
            connections=self._connections,
            authorized=self._authorized,
            auth_leaks=self._authorized if self._foreign else 0,
        )
