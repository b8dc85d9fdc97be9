"""`mllm-server migrate`: brings the database to the newest step, then ends.

Any number of processes may do this at once: they take turns by a lock, and all but the first find
nothing to do.
"""

import asyncio
import runpy
import sys

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infra.db.store import DatabaseUnavailableError, Store, Tx
from infra.settings import SettingsError, load
from migrations import HEAD


def _version(tx: Tx) -> str | None:
    return tx.session.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


async def _current(store: Store) -> str | None:
    try:
        return await store.read(_version)
    except (DBAPIError, DatabaseUnavailableError):
        # No table yet; a database that is away is told by the upgrade
        return None
    finally:
        await store.close()


def main() -> int:
    try:
        settings = load()
    except SettingsError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    before = asyncio.run(_current(Store(settings.database)))
    if before == HEAD:
        sys.stdout.write(f"database is at {HEAD}\n")
        return 0
    # Run by name, so that a start that has nothing to apply never pays for loading Alembic.
    runpy.run_module("migrations.upgrade", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
