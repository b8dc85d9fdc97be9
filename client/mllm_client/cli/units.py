"""Sizes, durations and times as people read them."""

import re
from datetime import UTC, datetime

DURATION = re.compile(
    r"P(?:(?P<d>[\d.]+)D)?(?:T(?:(?P<h>[\d.]+)H)?(?:(?P<m>[\d.]+)M)?(?:(?P<s>[\d.]+)S)?)?"
)
SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def size(value: str | int | float | None) -> str | None:
    """Bytes with a binary unit and one decimal: `1.5 GiB`. Takes the schema's decimal strings."""
    if value is None:
        return None
    number = float(value)
    if number < 1024:
        return f"{number:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        number /= 1024
        if number < 1023.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1024:.1f} PiB"


def seconds(duration: str | None) -> float | None:
    """An ISO 8601 duration of days and smaller in seconds; None for None and for anything else."""
    found = DURATION.fullmatch(duration) if duration else None
    if found is None:
        return None
    return sum(float(found[unit]) * SECONDS[unit] for unit in SECONDS if found[unit])


def span(duration_s: float | None) -> str | None:
    """Seconds in its two largest units: `1h 05m`, `42s`."""
    if duration_s is None:
        return None
    whole = max(0, round(duration_s))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    if minutes:
        return f"{minutes}m {whole % 60:02}s"
    return f"{whole}s"


def age(moment: str | None) -> str | None:
    """How long ago, in the largest unit: `3h`. None for None."""
    if moment is None:
        return None
    passed = max(0, int((datetime.now(UTC) - instant(moment)).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if passed >= length:
            return f"{passed // length}{unit}"
    return f"{passed}s"


def stamp(moment: str | None) -> str | None:
    """A time in UTC to the second: `2026-01-31T12:00:00Z`. None for None."""
    if moment is None:
        return None
    return instant(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(moment: str) -> datetime:
    """The schema's DateTime, which always has an offset."""
    return datetime.fromisoformat(moment)
