"""The parts of `mllm-server up` and the order of their start.

Valkey and the migrations run while this process imports what the api needs; the api starts while it
imports the rest. It makes no engine, client or loop of its own: those do not survive a fork.
"""

import gc
import importlib
import os
import sys
import time
from functools import partial
from pathlib import Path

from infra.settings import Settings, SettingsError, load, unknown_variables
from infra.valkey import Valkey, ValkeyError
from infra.version import VERSION
from server.address import Address, AddressError
from server.children import Child, Inheritance, LogFile, fork
from server.console import Console, elapsed_s
from server.home import Home
from server.readiness import Probe
from server.rooms import ROOMS, run
from server.signals import Signals
from server.supervisor import Part, Supervisor

# Neither Valkey nor a 503 can wake a loop: they are asked this often while something starts.
_POLL_S = 0.02
_LOG_CHECK_S = 30.0
_PATIENCE_S = 20.0
_VALKEY_TIMEOUT_S = 60.0  # a big append-only file takes its time to load


class UpError(Exception):
    """It cannot start; the text is for people."""


class _Stop(Exception):
    """No failure: a stop signal came before everything was started."""


def serve(home: Home, *, console: Console, signals: Signals) -> int:
    """Starts all, keeps it running until a stop signal, ends all; returns the exit status."""
    try:
        settings = load()
        address = Address.listen(settings.http.host, settings.http.port)
    except (SettingsError, AddressError) as e:
        sys.stderr.write(f"{e}\n")
        return 2 if isinstance(e, SettingsError) else 1
    laptop = _Laptop(home, settings, address, console=console, signals=signals)
    status = 0
    try:
        laptop.start()
        laptop.watch()
    except (UpError, ValkeyError) as e:
        sys.stderr.write(f"{e}\n")
        status = 1
    except _Stop:
        pass
    finally:
        clean = laptop.stop()
    console.part("mllm", "stopped", "" if clean else "by force: a part did not end in time")
    return status if clean else 1


class _Laptop:
    """One life: `start`, `watch` until a stop signal, `stop` in every case."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        address: Address,
        *,
        console: Console,
        signals: Signals,
    ) -> None:
        self._home = home
        self._settings = settings
        self._address = address
        self._console = console
        self._signals = signals
        self._supervisor = Supervisor(console, signals)
        self._pipe = os.pipe()
        self._valkey: Valkey | None = None
        self._environ = {"MLLM_EMBEDDED": "1", "MLLM_PORT": str(address.port)}
        self._parts: dict[str, Part] = {}
        self._probe = Probe(address.local)
        self._answered = False
        self._announced = False

    def start(self) -> None:
        """Raises UpError, ValkeyError, or _Stop."""
        self._console.text(f"mllm {VERSION}  home {self._home.path}")
        for warning in unknown_variables(os.environ):
            self._console.entry("warning", warning)
        self._add_valkey()
        migration_log = self._log("migrate")
        migration = self._fork("migrate", migration_log)
        self._preload("api")
        self._await_valkey()
        self._await_migration(migration, migration_log)
        self._keep("api")
        self._preload("worker")
        self._keep("worker")
        self._keep("sync")
        gc.enable()

    def watch(self) -> None:
        """Restarts what dies and tells when all is ready; returns at a stop signal."""
        patience_ends = time.monotonic() + _PATIENCE_S
        while not self._signals.stopping:
            if any(part.name == "api" for part in self._supervisor.tick()):
                self._answered = False
            if not (self._answered and self._announced):
                self._ask()
            if not self._announced and time.monotonic() > patience_ends:
                patience_ends = float("inf")
                self._console.part("waiting", "", f"/readyz says {self._probe.word}; {self._logs}")
            self._signals.wait(self._wait_s(), *self._probe.fds())

    def stop(self) -> bool:
        """True if every part ended by itself."""
        self._home.withdraw()
        self._probe.close()
        clean = self._supervisor.stop()
        if self._valkey is not None:
            self._valkey.stop()
        self._address.close()
        return clean

    def _ask(self) -> None:
        status = self._probe.poll()
        if status is None:
            return
        if not self._answered:
            self._answered = True
            self._console.part("api", "ready", f"{self._address.url}, {self._pid('api')}")
        if status == 200 and not self._announced:
            self._announced = True
            self._announce()

    def _announce(self) -> None:
        self._home.announce(self._address.url)
        # The api answers 200 when a worker's heartbeat is there; nobody asks for sync's.
        self._console.part("worker", "ready", self._pid("worker"))
        self._console.part("sync", "running", self._pid("sync"))
        self._console.entry("open", f"{self._address.url}/graphql")
        token = self._home.path / "admin.token"
        if token.exists():
            self._console.entry("token", str(token))
        self._console.text(f"ready in {elapsed_s():.1f} s; Ctrl-C stops everything")

    def _wait_s(self) -> float:
        waits = [_LOG_CHECK_S]
        if not (self._answered and self._announced) and not self._probe.fds():
            waits.append(_POLL_S)
        if (due_s := self._supervisor.next_due_s()) is not None:
            waits.append(due_s)
        return min(waits)

    def _add_valkey(self) -> None:
        if self._settings.redis.url:
            self._console.part("redis", "external", "MLLM_REDIS_URL")
            return
        self._supervisor.add(Part("valkey", self._start_valkey, self._log("valkey")))

    def _start_valkey(self) -> Valkey:
        # Where it outlives a killed parent, it must not keep the lock from the next one
        held = (self._home.lock_fd,) if sys.platform == "linux" else ()
        self._valkey = Valkey.spawn(
            self._home.path / "valkey", log_path=self._logs / "valkey.log", pass_fds=held
        )
        self._environ["MLLM_REDIS_URL"] = self._valkey.url
        return self._valkey

    def _await_valkey(self) -> None:
        valkey = self._valkey
        if valkey is None:
            return
        deadline = time.monotonic() + _VALKEY_TIMEOUT_S
        while not valkey.ready():
            if valkey.poll() is not None or time.monotonic() > deadline:
                raise valkey.failure()
            self._pause(_POLL_S)
        self._console.part("valkey", "ready", f"unix socket, pid {valkey.pid}")

    def _await_migration(self, migration: Child, log: LogFile) -> None:
        while (status := migration.poll()) is None:
            self._pause(1)
        words = log.last_words()
        if status != 0:
            raise UpError("\n  ".join([f"the migration failed with status {status}:", *words]))
        kind = self._settings.database.url.partition(":")[0].partition("+")[0]
        self._console.part("database", "ready", ", ".join([kind, *words[-1:]]))

    def _keep(self, name: str) -> None:
        log = self._log(name)
        self._parts[name] = Part(name, partial(self._fork, name, log), log)
        self._supervisor.add(self._parts[name])

    def _fork(self, name: str, log: LogFile) -> Child:
        environ = self._environ
        closed = [self._home.lock_fd, *self._signals.fds, *self._probe.fds()]
        if name == "api":
            environ = {**environ, "MLLM_LISTEN_FD": str(self._address.fd)}
        else:
            closed.append(self._address.fd)
        inherits = Inheritance(environ, tuple(closed), self._pipe)
        return fork(partial(run, name), log=log, inherits=inherits)

    def _preload(self, name: str) -> None:
        """Imports here what the room will need, so that its children share it and start at once."""
        gc.disable()
        for module in ROOMS[name].preload:
            importlib.import_module(module)
        gc.collect()
        gc.freeze()
        self._pause(0)

    def _pause(self, timeout_s: float) -> None:
        self._signals.wait(timeout_s)
        if self._signals.stopping:
            raise _Stop

    def _log(self, name: str) -> LogFile:
        return LogFile(self._logs / f"{name}.log")

    @property
    def _logs(self) -> Path:
        return self._home.path / "logs"

    def _pid(self, name: str) -> str:
        process = self._parts[name].process
        return "starts again" if process is None else f"pid {process.pid}"
