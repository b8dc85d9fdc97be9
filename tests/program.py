"""A process under test: its output is awaited line by line, with a deadline, without polling."""

import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path


class Program:
    """Started at once. `terminal`: on a pseudo-terminal of its own, as from a shell."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        terminal: bool = False,
    ) -> None:
        self.lines: list[str] = []
        self._seen = 0
        self._ended = False
        self._more = threading.Condition()
        self._terminal_fd: int | None = None
        if terminal:
            self._terminal_fd, theirs = pty.openpty()
            # Leads a new session with this terminal, and so its foreground group, as from a shell
            self._process = subprocess.Popen(
                list(command), env=env, cwd=cwd, preexec_fn=partial(os.login_tty, theirs)
            )
            os.close(theirs)
            source = self._terminal_fd
        else:
            self._process = subprocess.Popen(
                list(command),
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            assert self._process.stdout is not None
            source = self._process.stdout.fileno()
        self._reader = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def expect(self, pattern: str, *, timeout_s: float = 30) -> re.Match[str]:
        """The first match in a line after the previous match; fails at the end of the output."""
        deadline = time.monotonic() + timeout_s
        with self._more:
            while True:
                while self._seen < len(self.lines):
                    self._seen += 1
                    if match := re.search(pattern, self.lines[self._seen - 1]):
                        return match
                left_s = deadline - time.monotonic()
                if self._ended or left_s <= 0:
                    why = "the output ended" if self._ended else f"{timeout_s} s have passed"
                    raise AssertionError(f"no line matches {pattern!r}: {why}\n{self.output}")
                self._more.wait(left_s)

    def type(self, text: str) -> None:
        """Types on its terminal; `\\x03` is Ctrl-C."""
        assert self._terminal_fd is not None
        os.write(self._terminal_fd, text.encode())

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, *, timeout_s: float = 20) -> int:
        """Its exit code, negative for a signal; all its output is in `lines` then."""
        code = self._process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def close(self) -> None:
        """Kills it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._terminal_fd is not None:
            os.close(self._terminal_fd)
            self._terminal_fd = None

    def _read(self, source: int) -> None:
        rest = b""
        # A pseudo-terminal whose other side is closed ends with EIO
        with suppress(OSError):
            while part := os.read(source, 65536):
                *lines, rest = (rest + part).split(b"\n")
                self._add(lines)
        if rest:
            self._add([rest])
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _add(self, lines: list[bytes]) -> None:
        with self._more:
            self.lines += [line.decode(errors="replace").rstrip("\r") for line in lines]
            self._more.notify_all()
