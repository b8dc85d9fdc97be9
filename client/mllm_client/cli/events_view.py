"""How an event looks on a line: when, what, to what, and the gist of its detail.

On a terminal the line fits: figures that have no room are left out, other text is cut. In a pipe
nothing is.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from mllm_client.cli import jobs_view, output, units

TYPE_COLUMNS = 13  # job.completed; a longer type takes of the gist
FULL_TIME_COLUMNS = 100  # narrower terminals leave out what is clear: the year, or the day if today
LEAST_ROOM = 8  # less of a gist tells nothing
Detail = Mapping[str, Any]


def line(event: Mapping[str, Any]) -> str:
    """One event; ids are never cut."""
    columns = output.terminal_columns()
    brief = columns is not None and columns < FULL_TIME_COLUMNS
    at = short_time(event["at"]) if brief else units.stamp(event["at"])
    start = f"{at}  {event['type']:<{TYPE_COLUMNS}}  {event['subjectId'] or '-'}"
    parts = [flat(part) for part in gist(event) if part]
    if columns is None:
        return "  ".join([start, *parts])
    return f"{start}  {fitted(parts, columns - len(start) - 2)}".rstrip()


def gap(item: Mapping[str, Any]) -> str:
    """What is said of events that are no longer held."""
    after = f"after {item['from']}" if item["from"] else "before"
    if item["reason"] == "not-held":
        return f"events {after} are no longer held; going on after {item['to']}"
    return f"events {after} are missing up to {item['to']}: {item['reason']}"


def short_time(moment: str) -> str:
    """UTC to the second today, else with the day and to the minute."""
    at = units.instant(moment).astimezone(UTC)
    today = at.date() == datetime.now(UTC).date()
    return at.strftime("%H:%M:%S" if today else "%m-%d %H:%M")


def gist(event: Mapping[str, Any]) -> list[str | None]:
    """The parts worth telling, the most telling first."""
    detail = event["detail"]
    if not isinstance(detail, dict) or not detail:
        return []
    tell = TELLERS.get(event["type"])
    return tell(detail) if tell else [json.dumps(detail, ensure_ascii=False)]


def queued(detail: Detail) -> list[str | None]:
    return [failure(detail), what(detail)]


def running(detail: Detail) -> list[str | None]:
    return [f"attempt {detail.get('attempt')} of {detail.get('maxAttempts')}", what(detail)]


def moved(detail: Detail) -> list[str | None]:
    rate = detail.get("bytesPerSecond")
    return [share(detail), f"{units.size(rate)}/s" if rate else None, bytes_of(detail)]


def logged(detail: Detail) -> list[str | None]:
    lines = detail.get("lines") or [{}]
    more = f"(+{len(lines) - 1}) " if len(lines) > 1 else ""
    return [f"{more}{lines[-1].get('message', '')}"]


def completed(detail: Detail) -> list[str | None]:
    return [units.size(detail.get("bytesTotal")), what(detail)]


def failed(detail: Detail) -> list[str | None]:
    return [failure(detail), what(detail)]


def halted(detail: Detail) -> list[str | None]:
    share_of = share(detail)
    return [f"at {share_of}" if share_of else None, bytes_of(detail), what(detail)]


def installed(detail: Detail) -> list[str | None]:
    return [detail.get("path"), units.size(detail.get("sizeBytes"))]


TELLERS: dict[str, Callable[[Detail], list[str | None]]] = {
    "job.pending": queued,
    "job.running": running,
    "job.progress": moved,
    "job.log": logged,
    "job.completed": completed,
    "job.failed": failed,
    "job.paused": halted,
    "job.cancelled": halted,
    "weights.installed": installed,
}


def what(detail: Detail) -> str:
    return jobs_view.subject({"input": detail.get("input"), "kind": str(detail.get("kind", ""))})


def share(detail: Detail) -> str | None:
    progress = detail.get("progress")
    return None if progress is None else f"{progress * 100:.0f}%"


def bytes_of(detail: Detail) -> str | None:
    done, total = units.size(detail.get("bytesDone")), units.size(detail.get("bytesTotal"))
    return f"{done}/{total}" if done and total else done


def failure(detail: Detail) -> str | None:
    error = detail.get("error")
    return f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else None


def flat(text: str) -> str:
    """On one line, whatever a message holds."""
    return " ".join(text.split())


def fitted(parts: list[str], room: int) -> str:
    """As many whole parts as fit, or the beginning of the first."""
    if room < LEAST_ROOM or not parts:
        return ""
    shown = cut(parts[0], room)
    for part in parts[1:]:
        if cells(shown) + 2 + cells(part) > room:
            break
        shown = f"{shown}  {part}"
    return shown


def cut(text: str, room: int) -> str:
    if cells(text) <= room:
        return text
    kept = text[:room]
    while cells(kept) >= room:
        kept = kept[:-1]
    return kept + "…"


def cells(text: str) -> int:
    """Columns that a terminal gives a text: none to a combining character, two to a wide one."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )
