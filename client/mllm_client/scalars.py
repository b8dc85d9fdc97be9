"""The schema's scalars in Python; the generated code imports these functions.

Bytes travel as decimal strings (GraphQL's Int ends at 2 GiB), Duration as ISO 8601. Serializers
pass None and UNSET through, for generated methods call them on every variable, given or not.
"""

from datetime import datetime, timedelta
from typing import Any


def parse_bytes(value: str | int | None) -> int | None:
    """Decimal string to int."""
    return None if value is None else int(value)


def serialize_bytes(value: Any) -> Any:
    """int to decimal string."""
    return str(value) if isinstance(value, int) else value


def serialize_datetime(value: Any) -> Any:
    """Aware datetime to ISO 8601.

    Raises ValueError for a naive one: the server cannot know what it means.
    """
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return value.isoformat()


def serialize_duration(value: Any) -> Any:
    """timedelta to ISO 8601, in seconds: `PT90.5S`."""
    return f"PT{value.total_seconds():.6f}S" if isinstance(value, timedelta) else value
