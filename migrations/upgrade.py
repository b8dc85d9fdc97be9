"""Runs Alembic's steps up or down, in one transaction under a lock."""

import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from infra.db.engine import NetworkFileSystemError
from infra.settings import load

FOLDER = Path(__file__).resolve().parent


def configuration(url: str, **attributes: Any) -> Config:
    """Alembic's configuration, without an ini file: the address comes from the settings."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes.update({"url": url, **attributes})
    return config


def upgrade(url: str, *, revision: str = "head") -> None:
    """Raises the driver's error where the database does not answer."""
    command.upgrade(configuration(url), revision)


def downgrade(url: str, revision: str) -> None:
    command.downgrade(configuration(url), revision)


def main() -> int:
    """Exit status; what the database or Alembic refuse is told in one line, without a trace."""
    try:
        upgrade(load().database.url)
    except (SQLAlchemyError, CommandError, NetworkFileSystemError, OSError) as e:
        brief = (str(e).splitlines() or [type(e).__name__])[0]
        sys.stderr.write(f"the database cannot be migrated: {brief}\n")
        return 1
    sys.stdout.write("database is migrated\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
