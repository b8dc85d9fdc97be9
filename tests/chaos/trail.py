"""What workers did, from inside: each change below the staging folder as they make it, and their
own log of claims and ends.

The first is written by an audit hook (PEP 578) of the worker process, with CLOCK_MONOTONIC, which
all processes of a machine share; nothing of the worker itself is replaced.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

TRAIL_VARIABLE = "MLLM_TEST_TRAIL"
_STAGED = re.compile(r"/\.staging/(job_[0-9a-z]+)")
_WRITING = os.O_WRONLY | os.O_RDWR
_CHANGES = {
    "os.rename": 2,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.remove": 1,
    "os.truncate": 1,
    "shutil.rmtree": 1,
}
"""Audit events and how many of their arguments are paths."""


@dataclass(frozen=True, slots=True)
class Touch:
    """A process changed something that a job has staged."""

    job_id: str
    pid: int
    at_s: float
    what: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a job by a process, from its claim to the end of its work.

    `ended_s` None: it was never told, for the process died. Monotonic seconds.
    """

    job_id: str
    epoch: int
    pid: int
    began_s: float
    ended_s: float | None


def install(path: Path) -> None:
    """From now on this process writes its touches to the file, one JSON array a line."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    pid = os.getpid()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        for job_id in {found[1] for p in _changed(event, arguments) if (found := _find(p))}:
            line = json.dumps([job_id, pid, time.monotonic(), event])
            os.write(fd, f"{line}\n".encode())

    sys.addaudithook(hook)


def touches(path: Path) -> list[Touch]:
    return [Touch(*json.loads(line)) for line in _whole_lines(path)]


def runs(log: Path, pid: int, *, offset_s: float) -> list[Run]:
    """The runs that one worker process logged. `offset_s`: wall clock minus monotonic clock."""
    open_runs: dict[tuple[str, int], float] = {}
    found: list[Run] = []
    for entry in entries(log):
        if entry.get("event") not in ("job.claimed", "job.work_ended"):
            continue
        key, at_s = (entry["job_id"], entry["epoch"]), entry["at_s"] - offset_s
        if entry["event"] == "job.claimed":
            open_runs[key] = at_s
        elif key in open_runs:
            found.append(Run(*key, pid, open_runs.pop(key), at_s))
    return [*found, *(Run(*key, pid, at_s, None) for key, at_s in open_runs.items())]


def entries(log: Path) -> Iterable[dict[str, Any]]:
    """The structured lines of a process's log; `at_s` is their wall clock time."""
    for line in _whole_lines(log):
        if line.startswith("{"):
            entry = json.loads(line)
            entry["at_s"] = datetime.fromisoformat(entry["timestamp"]).timestamp()
            yield entry


def _whole_lines(path: Path) -> list[str]:
    """Without a last line that a killed process could not finish."""
    if not path.exists():
        return []
    text = path.read_text(errors="replace")
    return text[: text.rfind("\n") + 1].splitlines()


def _changed(event: str, arguments: tuple[Any, ...]) -> Iterable[Any]:
    if event == "open":
        path, _mode, flags = arguments
        return [path] if isinstance(flags, int) and flags & _WRITING else []
    return arguments[: _CHANGES.get(event, 0)]


def _find(path: Any) -> re.Match[str] | None:
    if isinstance(path, int):
        try:
            path = Path(f"/proc/self/fd/{path}").readlink()
        except OSError:
            return None
    return (
        _STAGED.search(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else None
    )
