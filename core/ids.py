"""Identifiers: `prefix_` and a ULID in lower-case Crockford base32, e.g.
`job_01k3v8m2f0c9xq7z5r4t6w8y0b`.

Source: https://github.com/ulid/spec (48 bits of Unix milliseconds, 80 random bits, 26 characters).
One text is the GraphQL node id, the primary key, the log field and the argument on the command
line.
"""

import secrets
import time
from enum import StrEnum
from typing import NewType

from core.errors import BadId

JobId = NewType("JobId", str)
WeightsId = NewType("WeightsId", str)
EventId = NewType("EventId", str)
TokenId = NewType("TokenId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# People read i and l as 1, and o as 0 (https://www.crockford.com/base32.html).
_TYPED = str.maketrans({"i": "1", "l": "1", "o": "0"})
LENGTH = 26


class Prefix(StrEnum):
    JOB = "job"
    WEIGHTS = "wts"
    EVENT = "evt"
    TOKEN = "tok"  # noqa: S105 — a prefix of ids, not a secret


def new(prefix: Prefix) -> str:
    """A fresh id; ids of one process sort by their millisecond of creation."""
    value = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    text = "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{text}"


def parse(text: str, expected: Prefix) -> str:
    """The id as it is stored, from what a person typed; raises BadId saying what was expected."""
    prefix = prefix_of(text)
    if prefix is not expected:
        raise BadId(f"{text!r} is the id of another kind: expected {expected}_…, got {prefix}_…")
    return canonical(text)


def canonical(text: str) -> str:
    """Lower case, with the letters that people confuse replaced; raises BadId."""
    prefix, _, ulid = text.strip().lower().partition("_")
    ulid = ulid.translate(_TYPED)
    if len(ulid) != LENGTH or ulid[0] > "7" or not all(c in _ALPHABET for c in ulid):
        raise BadId(f"{text!r} is not an id", hint="ids look like job_ followed by 26 characters")
    return f"{prefix}_{ulid}"


def prefix_of(text: str) -> Prefix:
    """The kind of a well-formed id; raises BadId."""
    prefix = canonical(text).partition("_")[0]
    try:
        return Prefix(prefix)
    except ValueError:
        known = ", ".join(f"{p}_" for p in Prefix)
        raise BadId(f"{text!r} is not an id of anything here", hint=f"known: {known}") from None
