"""`mllm events`: from when, how an event looks on a line, and what is said of a hole."""

import asyncio
import json
import re
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.client import data
from tests.client.conftest import MLLM, Run
from tests.client.double import Close, Double, Drop, in_turn, steps
from tests.program import Program

INPUT = {"hubRepo": data.REPO, "target": data.PATH}
JOB = {"jobId": data.JOB, "kind": "WEIGHTS_INSTALL", "input": INPUT, "maxAttempts": 5}
BYTES = {"progress": 0.5, "bytesDone": str(471 * data.MIB), "bytesTotal": str(942 * data.MIB)}
ERROR = {"code": "NO_SPACE", "message": "the volume\nis full", "hint": None, "retryable": False}
LOG = [{"n": 1, "message": "first"}, {"n": 2, "message": "model.safetensors is verified"}]
MOMENT = "2026-01-31T12:00:00Z"

LINES: list[tuple[str, dict[str, Any], str, str]] = [
    # type, detail, on a terminal of 80 columns, in a pipe
    ("job.pending", {**JOB, "error": None}, "Qwen/Qwen2.5-0.5B-I…", data.REPO),
    ("job.pending", {**JOB, "error": ERROR}, "NO_SPACE: the volum…",
     f"NO_SPACE: the volume is full  {data.REPO}"),
    ("job.running", {**JOB, "attempt": 1}, "attempt 1 of 5", f"attempt 1 of 5  {data.REPO}"),
    ("job.progress", {**BYTES, "bytesPerSecond": 52.4 * data.MIB}, "50%  52.4 MiB/s",
     "50%  52.4 MiB/s  471.0 MiB/942.0 MiB"),
    ("job.log", {"lines": LOG}, "(+1) model.safetens…", "(+1) model.safetensors is verified"),
    ("job.completed", {**JOB, **BYTES}, "942.0 MiB", f"942.0 MiB  {data.REPO}"),
    ("job.failed", {**JOB, "error": ERROR}, "NO_SPACE: the volum…",
     f"NO_SPACE: the volume is full  {data.REPO}"),
    ("job.paused", {**JOB, **BYTES}, "at 50%", f"at 50%  471.0 MiB/942.0 MiB  {data.REPO}"),
    ("job.cancelled", {**JOB, "progress": None, "bytesDone": None}, "Qwen/Qwen2.5-0.5B-I…",
     data.REPO),
    ("weights.installed", {"path": "acme/模型模型模型", "sizeBytes": "1024"}, "acme/模型模型模…",
     "acme/模型模型模型  1.0 KiB"),
    ("other.thing", {"a": 1}, '{"a": 1}', '{"a": 1}'),
    ("other.empty", {}, "", ""),
]  # fmt: skip


def log_of_lines() -> Any:
    """Events of each kind, with the time of a day that is not today."""
    return data.event_log(*(data.event(type=type_, detail=detail) for type_, detail, _, _ in LINES))


def test_line_is_whole_in_a_pipe(mllm: Run, server: Double) -> None:
    server.root["events"] = log_of_lines()

    result = mllm("events")

    assert result.stdout.splitlines() == [
        f"{MOMENT}  {type_:<13}  {data.JOB}  {whole}".rstrip() for type_, _, _, whole in LINES
    ]


def test_line_fits_a_terminal_of_80_columns(server: Double, environment: dict[str, str]) -> None:
    server.root["events"] = log_of_lines()

    lines = on_a_terminal(environment, "events")

    assert lines == [
        f"01-31 12:00  {type_:<13}  {data.JOB}  {brief}".rstrip() for type_, _, brief, _ in LINES
    ]
    assert {columns(line) <= 80 for line in lines} == {True}


def test_terminal_shows_what_it_has_room_for(server: Double, environment: dict[str, str]) -> None:
    detail = {**JOB, **BYTES}
    today = datetime.now(UTC).replace(microsecond=0)
    server.root["events"] = data.event_log(data.event(at=today.isoformat(), detail=detail))
    start = f"job.completed  {data.JOB}"

    assert on_a_terminal({**environment, "COLUMNS": "60"}, "events") == [
        f"{today:%H:%M:%S}  {start}"
    ]
    assert on_a_terminal({**environment, "COLUMNS": "120"}, "events") == [
        f"{today:%Y-%m-%dT%H:%M:%SZ}  {start}  942.0 MiB  {data.REPO}"
    ]


def test_pipe_does_not_care_for_the_width_of_a_terminal(mllm: Run, server: Double) -> None:
    message = "x" * 4000
    server.root["events"] = data.event_log(
        data.event(type="job.log", detail={"lines": [{"message": message}]})
    )

    assert mllm("events", env={"COLUMNS": "40"}).stdout.endswith(f"{data.JOB}  {message}\n")


@pytest.mark.parametrize(
    ("given", "before"),
    [("90s", {"seconds": 90}), ("1h15m", {"minutes": 75}), ("2d", {"days": 2})],
)
def test_since_takes_time_spans(
    mllm: Run, server: Double, given: str, before: dict[str, int]
) -> None:
    earliest = datetime.now(UTC) - timedelta(**before)

    assert mllm("events", "--since", given).returncode == 0

    [sent] = server.variables("Events")
    asked = datetime.fromisoformat(sent["since"])
    assert earliest <= asked <= datetime.now(UTC) - timedelta(**before)


def test_since_takes_a_time_of_any_zone(mllm: Run, server: Double) -> None:
    mllm("events", "--since", "2026-01-31T13:00+01:00", "--type", "job.*")

    assert server.variables("Events") == [
        {"types": ["job.*"], "since": "2026-01-31T13:00:00+01:00", "first": 100}
    ]


def test_listing_since_then_says_how_to_go_on(mllm: Run, server: Double) -> None:
    many = [data.event(id=f"evt_{n:026}") for n in range(130)]
    server.root["events"] = data.event_log(*many)

    result = mllm("events", "--since", "2026-01-01T00:00Z", "--limit", "120", "-o", "json")
    rest = mllm("events", "--after", many[119]["id"])

    assert [one["id"] for one in json.loads(result.stdout)] == [one["id"] for one in many[:120]]
    assert result.stderr == f"more follow; go on with `--after {many[119]['id']}`\n"
    assert len(rest.stdout.splitlines()) == 10


def test_last_events_are_shown_without_a_beginning(mllm: Run, server: Double) -> None:
    many = [data.event(id=f"evt_{n:026}") for n in range(60)]
    server.root["events"] = data.event_log(*many)

    result = mllm("events", "-o", "json")

    assert [one["id"] for one in json.loads(result.stdout)] == [one["id"] for one in many[10:]]
    assert result.stderr == ""


def test_follow_since_has_no_seam(mllm: Run, server: Double) -> None:
    """The first event since then comes from the log; the subscription goes on right after it."""
    old, first = data.event(at="2026-01-30T12:00:00+00:00"), data.event(id=data.NEXT_EVENT)
    second = data.event(id=data.LOST_EVENT)
    server.root["events"] = data.event_log(old, first, second)
    server.root["eventAdded"] = in_turn(
        steps("eventAdded", Drop()), steps("eventAdded", second, Close(1012)), steps("eventAdded")
    )

    result = mllm("events", "--since", MOMENT, "--type", "job.*", "--follow", "-o", "json")

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["id"] for line in lines] == [data.NEXT_EVENT, data.LOST_EVENT]
    assert {line["__typename"] for line in lines} == {"Event"}
    assert [sent["after"] for sent in server.variables("EventAdded")] == [
        data.NEXT_EVENT,
        data.NEXT_EVENT,
        data.LOST_EVENT,
    ]


def test_follow_since_then_without_events_begins_after_the_newest(
    mllm: Run, server: Double
) -> None:
    server.root["events"] = data.event_log(data.event(type="weights.installed"))

    result = mllm("events", "--since", "1h", "--type", "job.*", "--follow")

    assert len(result.stdout.splitlines()) == 1
    assert server.variables("EventAdded") == [{"types": ["job.*"], "after": data.EVENT}]


def test_follow_after_an_event_asks_for_nothing_else(mllm: Run, server: Double) -> None:
    result = mllm("events", "--follow", "--type", "job.*", "--after", data.NEXT_EVENT, "-o", "json")

    assert json.loads(result.stdout)["id"] == data.EVENT
    assert [(sent.operation, sent.variables) for sent in server.sent] == [
        ("EventAdded", {"types": ["job.*"], "after": data.NEXT_EVENT})
    ]


def test_interrupted_feed_is_130(server: Double, environment: dict[str, str]) -> None:
    server.root["eventAdded"] = steps("eventAdded", data.event(), asyncio.Event())

    following = Program([MLLM, "events", "--follow"], env=environment)
    try:
        following.expect("job.completed")
        following.signal(signal.SIGINT)

        assert following.wait() == 130
    finally:
        following.close()

    assert len(following.lines) == 1


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("not-held", f"are no longer held; going on after {data.LOST_EVENT}"),
        ("trimmed", f"are missing up to {data.LOST_EVENT}: trimmed"),
    ],
)
@pytest.mark.parametrize("form", ["table", "json"])
def test_gap_is_a_warning_on_standard_error(
    mllm: Run, server: Double, reason: str, said: str, form: str
) -> None:
    gap = {"from": data.EVENT, "to": data.LOST_EVENT, "reason": reason}
    server.root["eventAdded"] = steps("eventAdded", {"__typename": "EventGap", **gap}, data.event())

    result = mllm("events", "--follow", "-o", form)

    assert result.stderr == f"warning: events after {data.EVENT} {said}\n"
    lines = result.stdout.splitlines()
    if form == "table":
        assert len(lines) == 1
    else:
        assert json.loads(lines[0]) == {"__typename": "EventGap", **gap}
        assert len(lines) == 2


def on_a_terminal(environment: dict[str, str], *arguments: str) -> list[str]:
    """The lines of a command that ends well."""
    shown = Program([MLLM, *arguments], env=environment, terminal=True)
    try:
        assert shown.wait() == 0
    finally:
        shown.close()
    return [line.rstrip() for line in shown.lines]


def columns(line: str) -> int:
    return len(line) + len(re.findall(r"[一-鿿]", line))
