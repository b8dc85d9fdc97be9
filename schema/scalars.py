"""Scalars, and how each travels. Mapped from Python types in `SCALARS`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

Bytes = NewType("Bytes", int)
Json = NewType("Json", object)

MAX_BYTES = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _read_time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise GraphQLError(f"{value!r} is not an RFC 3339 time") from None
    if time.tzinfo is None:
        raise GraphQLError(f"{value!r} has no offset: end it with Z or +00:00")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise GraphQLError(f"{value!r} is not within the years 1 to 9999 of UTC") from None


def _write_bytes(value: int) -> str:
    return str(int(value))


def _read_bytes(value: Any) -> int:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    # The length first: int() refuses thousands of digits with an error of its own
    if not isinstance(text, str) or not _DIGITS.fullmatch(text) or int(text) > MAX_BYTES:
        raise GraphQLError(f"{value!r} is not a byte count: a decimal string from 0 to 2^63-1")
    return int(text)


def write_duration(value: timedelta) -> str:
    """ISO 8601 in seconds, to the millisecond: PT90S, PT0.25S."""
    seconds = round(value.total_seconds(), 3)
    return f"PT{seconds:.3f}".rstrip("0").rstrip(".") + "S"


def _read_duration(value: Any) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    parts = {k: float(v) for k, v in match.groupdict().items() if v} if match else {}
    if not parts:
        raise GraphQLError(f"{value!r} is not an ISO 8601 duration such as PT90S or P2DT12H")
    try:
        return timedelta(**parts)
    except OverflowError:
        raise GraphQLError(f"{value!r} is too long a time") from None


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339, always UTC, always with offset.",
        serialize=_write_time,
        parse_value=_read_time,
    ),
    timedelta: strawberry.scalar(
        name="Duration",
        description="ISO 8601 duration, e.g. PT90S.",
        serialize=write_duration,
        parse_value=_read_duration,
    ),
    Bytes: strawberry.scalar(
        name="Bytes",
        description="Non-negative byte count up to 2^63-1, as a decimal string.",
        serialize=_write_bytes,
        parse_value=_read_bytes,
    ),
    Json: strawberry.scalar(
        name="JSON",
        description="JSON whose shape is not ours: manifests, conditions, event details.",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
