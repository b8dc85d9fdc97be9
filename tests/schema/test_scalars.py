"""Scalars both ways, through the executor: what is printed can be sent back, and nothing else."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import strawberry
from graphql import GraphQLScalarType
from hypothesis import given
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig

from schema.scalars import MAX_BYTES, SCALARS, Bytes, Json, write_duration


@strawberry.type
class Query:
    """Each field answers its argument, and tells what Python made of it."""

    @strawberry.field
    def bytes(self, given: Bytes) -> Bytes:
        seen.append(given)
        return given

    @strawberry.field
    def time(self, given: datetime) -> datetime:
        seen.append(given)
        return given

    @strawberry.field
    def duration(self, given: timedelta) -> timedelta:
        seen.append(given)
        return given

    @strawberry.field
    def json(self, given: Json) -> Json:
        seen.append(given)
        return given


seen: list[Any] = []
ECHO = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
DOCUMENTS = {
    name: f"query($x: {kind}!) {{ {name}(given: $x) }}"
    for name, kind in (
        ("bytes", "Bytes"),
        ("time", "DateTime"),
        ("duration", "Duration"),
        ("json", "JSON"),
    )
}


def echo(name: str, value: Any) -> Any:
    result = ECHO.execute_sync(DOCUMENTS[name], {"x": value})
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data[name]


def refusal(name: str, value: Any) -> str:
    """The message; fails if the value is taken, or refused by an error of ours that is none."""
    result = ECHO.execute_sync(DOCUMENTS[name], {"x": value})
    assert result.data is None
    assert result.errors is not None
    (error,) = result.errors
    original = error.original_error
    assert original is None or type(original).__name__ == "GraphQLError", repr(original)
    return error.message


@given(st.integers(0, MAX_BYTES))
def test_bytes_travel_as_decimal_text(size_bytes: int):
    assert echo("bytes", str(size_bytes)) == str(size_bytes)
    assert seen[-1] == size_bytes


@pytest.mark.parametrize("given", ["0", "9223372036854775807", 0, 7, 2**31 - 1])
def test_bytes_at_their_bounds(given: Any):
    assert echo("bytes", given) == str(given)


@pytest.mark.parametrize(
    "given",
    [
        "9223372036854775808",
        "9" * 5000,
        2**63,
        -1,
        "-1",
        "+1",
        "1.0",
        1.5,
        "1e3",
        "0x10",
        " 1",
        "",
        "1_000",
        "٣",
        True,
        [],
        {},
    ],
)
def test_bytes_refuse_all_else(given: Any):
    assert "is not a byte count" in refusal("bytes", given)


@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001 - the zone comes from the strategy
        max_value=datetime(9998, 12, 31),  # noqa: DTZ001
        timezones=st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m))),
    )
)
def test_times_are_told_in_utc_and_stay_the_same_moment(time: datetime):
    answer = echo("time", time.isoformat())
    assert answer.endswith("+00:00")
    assert datetime.fromisoformat(answer) == time
    assert seen[-1] == time
    assert seen[-1].tzinfo is UTC


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-11-24T15:04:05Z", "2026-11-24T15:04:05+00:00"),
        ("2026-11-24T15:04:05.25Z", "2026-11-24T15:04:05.250000+00:00"),
        ("2026-11-24T15:04:05+02:00", "2026-11-24T13:04:05+00:00"),
    ],
)
def test_times_as_rfc_3339_writes_them(given: str, told: str):
    assert echo("time", given) == told


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-24T15:04:05",
        "2026-11-24",
        "yesterday",
        "",
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        1764000000,
        [],
        True,
    ],
)
def test_times_need_an_offset_and_a_date(given: Any):
    assert re.search(
        "is not an RFC 3339 time|has no offset|within the years", refusal("time", given)
    )


@given(st.integers(0, 10**14).map(lambda ms: timedelta(milliseconds=ms)))
def test_durations_stay_the_same_to_the_millisecond(duration: timedelta):
    text = write_duration(duration)
    assert echo("duration", text) == text
    assert seen[-1] == pytest.approx(duration, abs=timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("given", "seconds", "told"),
    [
        ("PT90S", 90, "PT90S"),
        ("PT0S", 0, "PT0S"),
        ("PT0.25S", 0.25, "PT0.25S"),
        ("PT1M30S", 90, "PT90S"),
        ("P2DT12H", 216000, "PT216000S"),
        ("PT10S", 10, "PT10S"),
        ("PT100S", 100, "PT100S"),
        ("P1D", 86400, "PT86400S"),
    ],
)
def test_durations_as_iso_8601_writes_them(given: str, seconds: float, told: str):
    assert echo("duration", given) == told
    assert seen[-1].total_seconds() == seconds


@pytest.mark.parametrize(
    "given",
    [
        "90",
        90,
        "P",
        "PT",
        "90S",
        "PT-5S",
        "-PT5S",
        "P1Y",
        "P1M",
        "PT1S ",
        "",
        "PT٣S",
        [],
        True,
        "PT" + "9" * 400 + "S",
        "P" + "9" * 12 + "D",
    ],
)
def test_durations_refuse_all_else(given: Any):
    assert re.search("is not an ISO 8601 duration|is too long", refusal("duration", given))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values.filter(lambda value: value is not None))
def test_json_is_not_looked_into(value: Any):
    assert echo("json", value) == value


def test_scalars_are_described():
    for name in ("Bytes", "DateTime", "Duration", "JSON"):
        scalar = ECHO._schema.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)
        assert scalar.description
