"""Times as people type them: how long ago, or a moment that says its time zone."""

import re
from datetime import UTC, datetime, timedelta

from mllm_client.cli.errors import Misuse

AGO = re.compile(
    r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?", re.ASCII
)


def ago(text: str) -> datetime:
    """What was so long ago: `90s`, `15m`, `1h`, `2d`, `1h30m`. Raises Misuse."""
    found = AGO.fullmatch(text.strip())
    if found is None or not found[0]:
        raise Misuse(f"{text!r} is not a time span", hint="write it like 90s, 15m, 1h or 2d")
    try:
        return datetime.now(UTC) - timedelta(
            **{unit: int(count) for unit, count in found.groupdict(default="0").items()}
        )
    except (OverflowError, ValueError) as error:
        raise Misuse(f"{text!r} is longer than there are dates") from error


def moment(text: str) -> datetime:
    """An ISO 8601 time. Raises Misuse, also where it does not say its time zone."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Misuse(f"{text!r} is not a time", hint="write it like 2026-01-31T12:00Z") from error
    if found.tzinfo is None:
        raise Misuse(f"{text!r} does not say its time zone", hint="write it like 2026-01-31T12:00Z")
    return found


def since(text: str) -> datetime:
    """Either of both, in the past. Raises Misuse."""
    if AGO.fullmatch(text.strip()):
        return ago(text)
    try:
        found = moment(text)
    except Misuse as error:
        hint = "write 90s, 15m, 1h or 2d, or a time like 2026-01-31T12:00Z"
        raise Misuse(error.message, hint=hint) from error
    if found > datetime.now(UTC):
        raise Misuse(f"{text!r} is yet to come")
    return found
