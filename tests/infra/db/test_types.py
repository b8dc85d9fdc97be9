"""Column types mean the same on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String, literal, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

from infra.db.store import Store, Tx
from infra.db.types import UtcDateTime, db_now, enum_column

SQLITE = sqlite.dialect()
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
# A day off both ends: the same moment in another zone has to have a year as well.
EARLIEST = datetime(1, 1, 2)  # noqa: DTZ001 — hypothesis adds the zone
LATEST = datetime(9999, 12, 30)  # noqa: DTZ001
times = st.datetimes(EARLIEST, LATEST, timezones=zones, allow_imaginary=False)


def round_trip(tx: Tx, value: datetime | None) -> datetime | None:
    return tx.session.execute(select(literal(value, UtcDateTime()))).scalar_one()


async def test_time_comes_back_in_utc_with_its_microseconds(store: Store):
    berlin = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    read = await store.read(round_trip, berlin)
    assert read == datetime(2026, 3, 29, 0, 30, 0, 123456, tzinfo=UTC)
    assert read is not None
    assert read.utcoffset() == timedelta(0)


async def test_no_time_stays_none(store: Store):
    assert await store.read(round_trip, None) is None


async def test_time_without_a_zone_is_refused(store: Store):
    with pytest.raises(StatementError, match="a time without a zone"):
        await store.read(round_trip, EARLIEST)


@given(times)
def test_every_time_survives_the_text_of_sqlite(value: datetime):
    kind = UtcDateTime()
    text = kind.process_bind_param(value, SQLITE)
    assert len(text) == 26
    assert kind.process_result_value(text, SQLITE) == value


@given(times, times)
def test_text_of_sqlite_sorts_as_time_does(a: datetime, b: datetime):
    kind = UtcDateTime()
    texts = kind.process_bind_param(a, SQLITE), kind.process_bind_param(b, SQLITE)
    assert (texts[0] < texts[1]) == (a < b)


async def test_clock_of_the_database_is_utc_and_near_ours(store: Store):
    before = datetime.now(UTC)
    read = await store.read(lambda tx: tx.session.execute(select(db_now())).scalar_one())
    # SQLite's clock has milliseconds
    assert before - timedelta(milliseconds=2) <= read <= datetime.now(UTC)


async def test_offsets_of_the_clock_order_as_seconds_do(store: Store):
    def ordered(tx: Tx) -> list[datetime]:
        offsets = (-60, -0.25, 0, 0.25, 3600)
        row = tx.session.execute(select(*(db_now(offset) for offset in offsets))).one()
        compared = select(db_now(-1) < db_now(), db_now(1) > db_now(), db_now(5) < db_now(4))
        assert tuple(tx.session.execute(compared).one()) == (True, True, False)
        return list(row)

    read = await store.read(ordered)
    assert read == sorted(read)
    assert timedelta(seconds=3659) < read[-1] - read[0] < timedelta(seconds=3661)


async def test_clock_goes_on_within_a_transaction(store: Store):
    def twice(tx: Tx) -> tuple[datetime, datetime]:
        first = tx.session.execute(select(db_now())).scalar_one()
        while (second := tx.session.execute(select(db_now())).scalar_one()) == first:
            pass
        return first, second

    first, second = await store.read(twice)
    assert first < second


async def test_stored_time_compares_with_the_clock(store: Store):
    def compared(tx: Tx) -> tuple[bool, bool]:
        now = datetime.now(UTC)
        past = literal(now - timedelta(seconds=1), UtcDateTime())
        future = literal(now + timedelta(seconds=60), UtcDateTime())
        return tuple(tx.session.execute(select(past < db_now(), future < db_now())).one())  # type: ignore[return-value]

    assert await store.read(compared) == (True, False)


class Colour(StrEnum):
    RED = "dark red"
    BLUE = "blue"


async def test_enum_is_stored_as_its_value_and_read_as_its_member(store: Store):
    def read(tx: Tx) -> tuple[Colour, str]:
        value = literal(Colour.RED, enum_column(Colour))
        member = tx.session.execute(select(value)).scalar_one()
        return member, tx.session.execute(select(type_coerce(value, String))).scalar_one()

    member, text = await store.read(read)
    assert member is Colour.RED
    assert text == "dark red"


def test_enum_is_text_of_fixed_length_on_both():
    column = enum_column(Colour)
    assert column.compile(SQLITE) == column.compile(postgresql.dialect()) == "VARCHAR(32)"
