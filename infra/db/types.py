"""Column types that mean the same on SQLite and on Postgres."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Dialect, Enum, String, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time on both databases; a naive one is refused when bound (ValueError).

    SQLite has no time type and hands back naive values for aware columns, so there the column is
    text of fixed width, which sorts and compares as time does.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(26))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        utc = value.astimezone(UTC)
        if dialect.name != "sqlite":
            return utc
        # Not strftime: its %Y does not pad the years before 1000
        return utc.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        time: datetime = value
        return time.astimezone(UTC)


class db_now(FunctionElement[datetime]):  # noqa: N801 — reads as the SQL function it renders
    """The database's clock, `offset_s` seconds from now: leases are never judged by a client's
    clock.
    """

    type = UtcDateTime()
    inherit_cache = False

    def __init__(self, offset_s: float = 0) -> None:
        super().__init__()
        self.offset_s = offset_s


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: SQLCompiler, **_: Any) -> str:
    # %f has milliseconds; padded to the six digits that UtcDateTime stores.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', '{element.offset_s:+.3f} seconds') || '000')"


@compiles(db_now, "postgresql")
def _postgres_now(element: db_now, compiler: SQLCompiler, **_: Any) -> str:
    # clock_timestamp, not now(): the latter stands still within a transaction.
    return f"(clock_timestamp() + interval '{element.offset_s:.3f} seconds')"


def enum_column(enum: type[StrEnum]) -> Enum:
    """A StrEnum stored as its value in a text column: adding a member needs no migration."""
    return Enum(
        enum,
        native_enum=False,
        length=32,
        values_callable=lambda members: [m.value for m in members],
    )
