"""Keyset paging: a cursor is the sort key of the last row seen, never an offset."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import BadCursor, LimitExceeded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows in order. `cursors` are theirs, one each; `has_next`: more follow,
    `has_previous`: it starts after some.
    """

    rows: Sequence[T]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool


def page(
    rows: Sequence[T], *, first: int, after: str | None, key: Callable[[T], str | int]
) -> Page[T]:
    """A page from `first + 1` fetched rows: the surplus row only tells that there is more."""
    kept = rows[:first]
    return Page(kept, [encode(key(r)) for r in kept], len(rows) > first, after is not None)


def check_first(first: int, *, maximum: int = 100) -> int:
    """Raises LimitExceeded out of 1..maximum: a silent clamp would look like the end of the
    list.
    """
    if not 1 <= first <= maximum:
        raise LimitExceeded(f"first must be between 1 and {maximum}, not {first}")
    return first


def encode(key: str | int) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """Raises BadCursor for what `encode` never made."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as e:
        raise BadCursor(f"{cursor!r} is not a cursor of this list") from e
    if "\x00" in text:  # Postgres refuses it as text
        raise BadCursor(f"{cursor!r} is not a cursor of this list")
    return text


def decode_number(cursor: str) -> int:
    """Raises BadCursor where the cursor does not hold a number."""
    text = decode(cursor)
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise BadCursor(f"{cursor!r} is not a cursor of this list")
    return int(text)
