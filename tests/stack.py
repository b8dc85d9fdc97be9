"""The whole server as `make serve` starts it, for tests: started, asked, stopped, nothing left."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from infra.processes import tail
from tests.program import Program

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
START_TIMEOUT_S = 60
# Loopback must not go through a proxy of the machine that runs the tests
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Stack:
    """One `mllm-server up`; a context manager that ends it and checks that it ended well.

    `home`: None makes a temporary one that goes with the stack. `ready=False`: returns without
    waiting, for tests of the start itself. What was printed and logged is shown at the end, which
    pytest keeps to itself unless the test failed; `quiet`: it is not.
    """

    def __init__(
        self,
        *,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
        ready: bool = True,
        quiet: bool = False,
    ) -> None:
        self._quiet = quiet
        self._temporary = None if home else tempfile.TemporaryDirectory(prefix="mllm-")
        self.home = home or Path(self._temporary.name if self._temporary else "") / "home"
        self.env = environment(self.home, env)
        self.program = Program(
            [BIN / "mllm-server", "up"], env=self.env, cwd=ROOT, terminal=terminal
        )
        self.url = ""
        if ready:
            try:
                self.wait_ready()
            except BaseException:
                self.close()
                raise

    @property
    def pid(self) -> int:
        return self.program.pid

    @property
    def token(self) -> str:
        return (self.home / "admin.token").read_text().strip()

    def wait_ready(self, *, timeout_s: float = START_TIMEOUT_S) -> Self:
        self.url = self.program.expect(r"^open +(\S+)/graphql$", timeout_s=timeout_s)[1]
        self.program.expect("^ready in", timeout_s=5)
        return self

    def pids(self) -> dict[str, int]:
        """The process of each part, as last printed."""
        found = {}
        for line in self.program.lines:
            name, _, rest = line.partition(" ")
            before, separator, pid = rest.rpartition("pid ")
            if separator and "died" not in before:
                found[name] = int(pid)
        return found

    def get(self, path: str, *, timeout_s: float = 15) -> tuple[int, str]:
        """Status and text of one GET without a token."""
        request = urllib.request.Request(self.url + path)
        return _send(request, timeout_s=timeout_s)

    def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer to one operation as the admin: `data`, and `errors` if there are any."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": document, "variables": variables or {}}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        answer: dict[str, Any] = json.loads(_send(request, timeout_s=30)[1])
        return answer

    def cli(
        self, *args: str, env: Mapping[str, str] | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """One run of `mllm` on this machine: it finds address and token in the home."""
        return subprocess.run(
            [BIN / "mllm", *args],
            env={**self.env, **(env or {})},
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stops it; fails unless it ends with 0 and leaves neither process nor address behind."""
        self.program.signal(number)
        code = self.program.wait()
        left = leftovers(self.home)
        assert (code, left) == (0, []), f"exit {code}, left {left}\n{self.program.output}"
        assert not (self.home / "endpoint").exists()

    def close(self) -> None:
        """Ends whatever still runs, shows the output and the logs, removes a temporary home."""
        self.program.close()
        for pid in leftovers(self.home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not self._quiet:
            sys.stdout.write(self._story())
        if self._temporary is not None:
            self._temporary.cleanup()

    def _story(self) -> str:
        lines = [self.program.output]
        for log in sorted(self.home.glob("logs/*.log")):
            lines += [f"--- {log.name}", *tail(log, max_lines=40)]
        return "\n".join([*lines, ""])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.program.running:
                self.stop()
        finally:
            self.close()


@contextmanager
def hub_process(*args: str) -> Iterator[str]:
    """Runs the hub double as a process of its own; gives its URL, for `HF_ENDPOINT`."""
    program = Program([sys.executable, "-m", "tests.fakes.hub", "--port", "0", *args], cwd=ROOT)
    try:
        yield program.expect(r"^ready (http://\S+)")[1]
    finally:
        program.signal(signal.SIGTERM)
        program.close()


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, without settings, contexts, credentials and hub of the machine it runs on."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLLM_", "HF_"))}
    return {
        **kept,
        "MLLM_HOME": str(home),
        "MLLM_PORT": "0",
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "XDG_CONFIG_HOME": str(home.parent / "config"),
        "KUBECONFIG": "/dev/null",
        **(extra or {}),
    }


def leftovers(home: Path) -> list[int]:
    """Processes that have a file below `home` open or work there. Linux only; elsewhere none."""
    return [int(p.name) for p in Path("/proc").glob("[0-9]*") if _holds(p, home)]


def _holds(process: Path, home: Path) -> bool:
    if int(process.name) == os.getpid():
        return False
    try:
        links = [process / "cwd", *(process / "fd").iterdir()]
    except OSError:
        return False
    for link in links:
        with suppress(OSError):
            if link.readlink().is_relative_to(home):
                return True
    return False


def _send(request: urllib.request.Request, *, timeout_s: float) -> tuple[int, str]:
    try:
        with _opener.open(request, timeout=timeout_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode()
