"""What can go wrong on an origin, as data, and the board that arms it.

A fault fires for requests whose name matches `target`: on the hub the path of the URL, on the CDN
`namespace/name/path` of a file with that content.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, TypeVar, get_args, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Base of all faults."""

    times: int | None = None
    """How often it fires. None: until it is cleared."""
    target: str = "*"
    """fnmatch pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Fault):
    """Answers this status instead of the content, before any authentication."""

    status: int
    retry_after_s: int | None = None
    """None: no Retry-After header."""
    rate_limit_reset_s: int | None = None
    """Sends RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-09)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(Fault):
    """Paces bodies. `times` does not apply."""

    bytes_per_s: int
    per_connection: bool = False
    """False: all connections of the origin share the rate."""

    def __post_init__(self) -> None:
        if self.bytes_per_s <= 0:
            raise ValueError("bytes_per_s must be above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate(Fault):
    """Closes the connection after this many bytes of a longer body."""

    after_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall(Fault):
    """Goes silent after this many bytes of a longer body."""

    after_bytes: int
    duration_s: float | None = None
    """None: until the client leaves or the fault is cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt(Fault):
    """Inverts the byte at this offset of the file, whichever range carries it."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRange(Fault):
    """Answers 200 with the whole file to a Range request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongContentRange(Fault):
    """Shifts both ends in the Content-Range header of a 206; the bytes are those asked for."""

    shift_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongContentLength(Fault):
    """Adds to the Content-Length header.

    Above zero the connection closes short of it; below zero the body is cut to it.
    """

    delta_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireUrls(Fault):
    """Hub only: signs CDN addresses that expire after this time. Negative: already expired."""

    ttl_s: int


KINDS: dict[str, type[Fault]] = {
    "status": Status,
    "rate": Rate,
    "truncate": Truncate,
    "stall": Stall,
    "corrupt": Corrupt,
    "ignore_range": IgnoreRange,
    "wrong_content_range": WrongContentRange,
    "wrong_content_length": WrongContentLength,
    "expire_urls": ExpireUrls,
}
NAMES = {kind: name for name, kind in KINDS.items()}
F = TypeVar("F", bound=Fault)


def parse_fault(document: Mapping[str, Any]) -> Fault:
    """The fault of `{"kind": "truncate", "after_bytes": 10}`. Raises ValueError."""
    values = dict(document)
    kind = KINDS.get(str(values.pop("kind", None)))
    if kind is None:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    unknown = values.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"{NAMES[kind]} has no {', '.join(sorted(unknown))}")
    hints = get_type_hints(kind)
    for name, value in values.items():
        whole = float in get_args(hints[name]) and isinstance(value, int)
        if not whole and not isinstance(value, hints[name]):
            raise ValueError(f"{name} cannot be {value!r}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(str(error)) from error


class FaultBoard:
    """The armed faults of one origin and how often each has fired."""

    def __init__(self) -> None:
        self._fired: dict[Fault, int] = {}
        self._changed = asyncio.Event()

    def set(self, faults: Iterable[Fault]) -> None:
        """Replaces all armed faults; those that stay start counting anew."""
        self._fired = dict.fromkeys(faults, 0)
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Waits for the next `set`."""
        await self._changed.wait()

    def fired(self, fault: Fault) -> int:
        return self._fired.get(fault, 0)

    def find(self, kind: type[F], names: Iterable[str]) -> F | None:
        """The first armed fault of that kind for a request of these names."""
        known = tuple(names)
        for fault in self._fired:
            hit = any(fnmatchcase(name, fault.target) for name in known)
            if hit and isinstance(fault, kind) and self.armed(fault):
                return fault
        return None

    def armed(self, fault: Fault) -> bool:
        fired = self._fired.get(fault)
        return fired is not None and (fault.times is None or fired < fault.times)

    def fire(self, fault: Fault) -> bool:
        """Counts a firing; False if another request has used the fault up meanwhile."""
        if not self.armed(fault):
            return False
        self._fired[fault] += 1
        return True

    def take(self, kind: type[F], names: Iterable[str]) -> F | None:
        """Finds and fires."""
        fault = self.find(kind, names)
        return fault if fault is not None and self.fire(fault) else None

    def state(self) -> list[dict[str, Any]]:
        return [
            {"kind": NAMES[type(fault)], **asdict(fault), "fired": fired}
            for fault, fired in self._fired.items()
        ]
