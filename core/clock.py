"""The wall clock of the domain: aware UTC, handed in where a test has to hold it still."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
