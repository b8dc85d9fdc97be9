"""How long `mllm-server up` takes to be ready and to stop, and what it weighs when idle.

Prints medians over ROUNDS with the extremes. Bytecode goes to a temporary folder that one start has
filled before, as it is for everybody from the second start on.
"""

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.program import Program
from tests.stack import BIN, ROOT, Stack, leftovers

ROUNDS = 7
SETTLE_S = 3


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="mllm-bench-") as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        home = Path(folder) / "home"
        print(f"start without bytecode      {_start(home / 'warm'):6.2f} s")
        homes = [home / str(n) for n in range(ROUNDS)]
        _report("first start, new home", [_start(path) for path in homes])
        _report("second start", [_start(path) for path in homes])
        with Stack(home=home / "held", quiet=True) as stack:
            _report("second instance refused", [_refusal(stack) for _ in range(ROUNDS)])
            _idle(stack)
            _report("api killed until it answers", [_killed(stack) for _ in range(3)])
        _report("stop", [_stop(path) for path in homes])
        _report("supervisor killed, all gone", [_gone(path) for path in homes])


def _start(home: Path) -> float:
    started = time.perf_counter()
    with Stack(home=home, quiet=True):
        return time.perf_counter() - started


def _stop(home: Path) -> float:
    with Stack(home=home, quiet=True) as stack:
        return _timed(stack.stop)


def _refusal(stack: Stack) -> float:
    def refused() -> None:
        program = Program([BIN / "mllm-server", "up"], env=stack.env, cwd=ROOT)
        assert program.wait() == 1
        program.close()

    return _timed(refused)


def _killed(stack: Stack) -> float:
    def killed() -> None:
        os.kill(stack.pids()["api"], signal.SIGKILL)
        assert stack.get("/healthz")[0] == 200
        stack.program.expect("^api +ready")

    return _timed(killed)


def _gone(home: Path) -> float:
    def gone() -> None:
        stack.program.signal(signal.SIGKILL)
        stack.program.wait()
        while leftovers(home):
            pass

    with Stack(home=home, quiet=True) as stack:
        return _timed(gone)


def _idle(stack: Stack) -> None:
    time.sleep(SETTLE_S)
    sizes = {"up": _pss(stack.pid), **{name: _pss(pid) for name, pid in stack.pids().items()}}
    cpu_before = {pid: _cpu_s(pid) for pid in (stack.pid, *stack.pids().values())}
    time.sleep(SETTLE_S)
    cpu_s = sum(_cpu_s(pid) - before for pid, before in cpu_before.items())
    parts = ", ".join(f"{name} {size:.0f}" for name, size in sizes.items())
    print(f"idle, PSS                   {sum(sizes.values()):6.0f} MB ({parts})")
    print(f"idle, CPU                   {cpu_s / SETTLE_S:6.1%} of one core")


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024 / 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _report(name: str, values_s: list[float]) -> None:
    middle, low, high = statistics.median(values_s), min(values_s), max(values_s)
    print(f"{name:<27} {middle:6.2f} s  ({low:.2f} to {high:.2f}, n={len(values_s)})")


if __name__ == "__main__":
    main()
