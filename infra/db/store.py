"""The one place that opens and commits transactions.

A use case hands in a plain synchronous function; it runs in one thread hop (SQLite) or inside one
`run_sync` (Postgres), so that no lock is ever held across the event loop. What has to leave the
process after the commit (jobs to wake, events to publish) is collected in the transaction's outbox
and handed on only when the commit stands.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from infra.bus.signal import Signal
from infra.db.ballast import Ballast
from infra.db.engine import IDLE_IN_TRANSACTION_S, is_sqlite, postgres_engine, sqlite_engine
from infra.settings import Database

P = ParamSpec("P")
R = TypeVar("R")
# A transaction takes milliseconds; one that hangs must not keep its process from ending.
CLOSE_TIMEOUT_S = 5.0
Lane = Literal["write", "settle", "read", "heartbeat"]

RACES = 3
# unique_violation, serialization_failure, deadlock_detected:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOST_RACE = frozenset({"23505", "40001", "40P01"})


_DISK_FULL = "53100"  # disk_full


_AWAY = ("database is locked", "unable to open database", "disk I/O error")


class DatabaseUnavailableError(Exception):
    """The database does not answer."""


class DatabaseFullError(DatabaseUnavailableError):
    """The disk of the database is full: it answers, and can write nothing."""


@dataclass(slots=True)
class Outbox:
    """What leaves the process once the transaction is committed."""

    wake: list[str] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)


@dataclass(slots=True)
class Tx:
    """One open transaction. `before_commit` functions run last, in order, with the row locks
    still to be taken.
    """

    session: Session
    outbox: Outbox = field(default_factory=Outbox)
    before_commit: list[Callable[["Tx"], None]] = field(default_factory=list)


class Store:
    """Transactions over one database.

    SQLite has lanes, one thread each for writes and heartbeats (a lease must be renewed while a
    long write waits) and two for reads; Postgres has a pool, of which writes take one connection
    at a time: nearly all wait for the head of the event log anyway, and a process that stands
    still then holds it up once. `on_commit` is called on the event loop after each commit that
    left something in its outbox; it must neither block nor raise.
    On Postgres `fn` is called again, at most three times in all, where it lost a race to another
    transaction: it has no effects but on its transaction. Every method raises
    DatabaseUnavailableError where the database cannot be asked, and DatabaseFullError where it
    cannot write. On SQLite, `settle` and `heartbeat`, and whoever is the first to open the file,
    have the ballast make room before that.
    """

    def __init__(self, settings: Database) -> None:
        self.dialect: Literal["sqlite", "postgresql"] = "postgresql"
        self.on_commit: Callable[[Outbox], None] = lambda _outbox: None
        self._under_way: set[asyncio.Task[Any]] = set()
        if is_sqlite(settings.url):
            self.dialect = "sqlite"
            self._sqlite = sqlite_engine(settings.url)
            file = Path(self._sqlite.url.database or "")
            self._ballast = Ballast(file.with_name(f"{file.name}-ballast"), settings.ballast_bytes)
            writer = ThreadPoolExecutor(1, "db-write")
            self._lanes: dict[Lane, ThreadPoolExecutor] = {
                "write": writer,
                "settle": writer,
                "heartbeat": ThreadPoolExecutor(1, "db-heartbeat"),
                "read": ThreadPoolExecutor(2, "db-read"),
            }
        else:
            self._postgres = postgres_engine(
                settings.url,
                pool_size=settings.pool_size,
                idle_in_transaction_s=IDLE_IN_TRANSACTION_S,
            )
            self._writer = asyncio.Semaphore(1)

    async def write(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Runs `fn(tx, …)` in one transaction and commits; any exception rolls back and is
        raised.
        """
        return await self._run("write", lambda tx: fn(tx, *args, **kwargs))

    async def settle(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """As `write`, for what has to be written on a full disk too: how work ended, and what
        people do to end it.
        """
        return await self._run("settle", lambda tx: fn(tx, *args, **kwargs))

    async def read(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Runs `fn(tx, …)` without write access; rows it returns are detached."""
        return await self._run("read", lambda tx: fn(tx, *args, **kwargs))

    async def heartbeat(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """As `write`, in a lane of its own, so that renewing a lease never queues behind other
        writes.
        """
        return await self._run("heartbeat", lambda tx: fn(tx, *args, **kwargs))

    async def ping(self) -> None:
        """Raises DatabaseUnavailableError where the database does not answer."""
        await self.read(lambda tx: tx.session.execute(text("SELECT 1")).scalar_one())

    async def keep_ballast(self) -> bool:
        """Takes the room that `settle` may need one day, where there is plenty; whether it has it.

        Raises OSError. On Postgres there is nothing to keep.
        """
        if self.dialect != "sqlite":
            return True
        return await asyncio.to_thread(self._ballast.take)

    async def close(self) -> None:
        """Waits for transactions whose callers are gone: their connections would stay open."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CLOSE_TIMEOUT_S)
        if self.dialect == "sqlite":
            for lane in self._lanes.values():
                lane.shutdown(wait=True)
            self._sqlite.dispose()
        else:
            await self._postgres.dispose()

    async def _run(self, lane: Lane, fn: Callable[[Tx], R]) -> R:
        running: Awaitable[tuple[R, Outbox]]
        if self.dialect == "sqlite":
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._lanes[lane], self._in_thread, lane, fn)
        else:
            running = self._in_turn(lane, fn)
        # A cancelled caller must not lose the outbox of a transaction that goes on to be committed.
        task = asyncio.ensure_future(self._handing_on(running))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _handing_on(self, running: Awaitable[tuple[R, Outbox]]) -> R:
        try:
            result, outbox = await running
        except (DBAPIError, OSError) as e:
            brief = (str(e).splitlines() or [type(e).__name__])[0][:200]
            if _is_full(e):
                raise DatabaseFullError(brief) from e
            if _is_away(e):
                raise DatabaseUnavailableError(brief) from e
            raise
        if outbox.wake or outbox.signals:
            self.on_commit(outbox)
        return result

    def _in_thread(self, lane: Lane, fn: Callable[[Tx], R]) -> tuple[R, Outbox]:
        while True:
            try:
                return self._in_connection(lane, fn)
            except DBAPIError as e:
                must = lane in ("settle", "heartbeat") or _cannot_open(e)
                if not (must and _is_full(e) and self._ballast.give_up()):
                    raise

    def _in_connection(self, lane: Lane, fn: Callable[[Tx], R]) -> tuple[R, Outbox]:
        options = {"read_only": True} if lane == "read" else {}
        with self._sqlite.connect().execution_options(**options) as connection:
            session = Session(connection, expire_on_commit=False)
            with session.begin():
                return _transact(session, fn)

    async def _in_turn(self, lane: Lane, fn: Callable[[Tx], R]) -> tuple[R, Outbox]:
        if lane not in ("write", "settle"):
            return await self._until_won(lane, fn)
        async with self._writer:
            return await self._until_won(lane, fn)

    async def _until_won(self, lane: Lane, fn: Callable[[Tx], R]) -> tuple[R, Outbox]:
        """Runs it again where another transaction was quicker: it then sees what that one wrote."""
        for _ in range(RACES - 1):
            try:
                return await self._in_session(lane, fn)
            except DBAPIError as e:
                if getattr(e.orig, "sqlstate", None) not in _LOST_RACE:
                    raise
        return await self._in_session(lane, fn)

    async def _in_session(self, lane: Lane, fn: Callable[[Tx], R]) -> tuple[R, Outbox]:
        async with (
            AsyncSession(self._postgres, expire_on_commit=False) as session,
            session.begin(),
        ):
            if lane == "read":
                await session.execute(text("SET TRANSACTION READ ONLY"))
            return await session.run_sync(_transact, fn)


def _is_away(error: DBAPIError | OSError) -> bool:
    """Whether the database could not be asked, rather than refused what it was asked."""
    if isinstance(error, OSError) or error.connection_invalidated:
        return True
    reason = str(error.orig)
    return any(said in reason for said in _AWAY)


def _is_full(error: DBAPIError | OSError) -> bool:
    if isinstance(error, OSError):
        return False
    full = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return full or _cannot_open(error) or getattr(error.orig, "sqlstate", None) == _DISK_FULL


def _cannot_open(error: DBAPIError) -> bool:
    """Whether there is no room for the memory shared by all who have the file open, readers too."""
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHMSIZE


def _transact(session: Session, fn: Callable[[Tx], R]) -> tuple[R, Outbox]:
    tx = Tx(session)
    result = fn(tx)
    session.flush()
    for hook in tx.before_commit:
        hook(tx)
    session.flush()
    return result, tx.outbox
