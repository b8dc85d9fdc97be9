"""How Alembic reaches the database: the same engines as everything else, one transaction, one
lock.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from core.feed import entity as _feed  # noqa: F401 — the tables of every noun
from core.jobs import entity as _jobs  # noqa: F401
from core.tokens import entity as _tokens  # noqa: F401
from core.weights import entity as _weights  # noqa: F401
from infra.db import locks as _locks  # noqa: F401
from infra.db.base import Base
from infra.db.engine import is_sqlite, postgres_engine, sqlite_engine

# Any number will do, as long as no other program locks the same one in this database.
ADVISORY_LOCK = 0x6D6C6C6D  # "mllm"


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
    )
    context.run_migrations()


async def _migrate_postgres(url: str) -> None:
    engine = postgres_engine(url, pool_size=1)
    async with engine.begin() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


def run() -> None:
    attributes = context.config.attributes
    if (connection := attributes.get("connection")) is not None:  # a test's own
        _migrate(connection)
    elif is_sqlite(attributes["url"]):
        engine = sqlite_engine(attributes["url"])
        # BEGIN IMMEDIATE is the lock: whoever comes second waits, and then finds the new version.
        with engine.begin() as connection:
            _migrate(connection)
        engine.dispose()
    else:
        asyncio.run(_migrate_postgres(attributes["url"]))


run()
