"""Engines: SQLite with the pragmas that several processes need, Postgres over asyncpg."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# https://www.sqlite.org/pragma.html; WAL lets readers go on while one process writes, NORMAL is
# durable across crashes of the process. Deferred transactions that read and then write fail with
# "database is locked" in spite of the time-out (SQLITE_BUSY_SNAPSHOT is not retried), hence BEGIN
# IMMEDIATE for every writer.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=10000",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "wal_autocheckpoint=1000",
)
# A process that stands still in a transaction (stopped, suspended, cut off) holds the head of the
# event log, and with it up everybody else, until it goes on. Above what a busy loop needs between
# two statements, and below the end of a lease.
IDLE_IN_TRANSACTION_S = 2.0
_OCTAL = re.compile(r"\\([0-7]{3})")  # blanks in a mount point, getmntent(3)
_NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "9p",
    "lustre",
}


class NetworkFileSystemError(Exception):
    """SQLite's locks do not hold on a network file system: two nodes would corrupt the file."""


def is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def sqlite_engine(url: str) -> Engine:
    """A synchronous engine, for threads that hold one whole transaction each.

    Raises NetworkFileSystemError. Effects: creates the file's folder.
    """
    target = make_url(url).set(drivername="sqlite")
    if target.database:
        folder = Path(target.database).parent
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_network_file_system(folder)
    engine = create_engine(
        target,
        pool_size=5,
        max_overflow=0,
        connect_args={"timeout": 10, "check_same_thread": False},
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def postgres_engine(
    url: str, *, pool_size: int, idle_in_transaction_s: float | None = None
) -> AsyncEngine:
    """An engine over asyncpg; connections are checked before use and renewed after half an hour.

    `idle_in_transaction_s`: the server ends a connection that is silent in a transaction for so
    long, and with it the locks it holds; None: never.
    """
    engine = create_async_engine(
        postgres_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
    )
    if idle_in_transaction_s is not None:
        listen = partial(_end_when_idle, timeout_s=idle_in_transaction_s)
        event.listen(engine.sync_engine, "connect", listen)
    return engine


def postgres_url(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+asyncpg")


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _end_when_idle(connection: Any, _record: Any, *, timeout_s: float) -> None:
    # A statement, for connection poolers refuse start parameters that they do not know
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = {timeout_s * 1000:.0f}")
    cursor.close()
    connection.commit()


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    read_only = bool(connection.get_execution_options().get("read_only"))
    # Kept by the connection, which the pool hands to readers and writers alike
    connection.exec_driver_sql(f"PRAGMA query_only={read_only:d}")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _refuse_network_file_system(folder: Path) -> None:
    mounts = Path("/proc/mounts")
    if not mounts.exists():  # not Linux: nothing to ask
        return
    best, kind = "", ""
    resolved = str(folder.resolve())
    for line in mounts.read_text().splitlines():
        _device, escaped, file_system, *_rest = line.split(" ")
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), escaped)
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, file_system
    if kind in _NETWORK_FILE_SYSTEMS:
        raise NetworkFileSystemError(
            f"SQLite cannot be kept on {folder} ({kind}): use a local disk, or Postgres"
            " (MLLM_DATABASE_URL)"
        )
