"""Progress of a job on standard error: a live bar on a terminal, else plain lines."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from mllm_client.cli import output
from mllm_client.cli.units import seconds, size, span

LINE_EVERY_S = 1.0


class View(Protocol):
    """Shows the states of one job, one after the other."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def update(self, job: Mapping[str, Any]) -> None: ...
    def say(self, text: str) -> None: ...


def view() -> View:
    """The view that fits standard error."""
    return Bar() if sys.stderr.isatty() else Lines()


class Lines:
    """At most one line a second, and the last one: logs of CI systems stay readable."""

    def __init__(self) -> None:
        self._next = 0.0
        self._shown = ""
        self._pending = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._print(self._pending)

    def update(self, job: Mapping[str, Any]) -> None:
        self._pending = "  ".join([head(job), *numbers(job)])
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY_S
            self._print(self._pending)

    def say(self, text: str) -> None:
        output.note(text)

    def _print(self, text: str) -> None:
        if text and text != self._shown:
            self._shown = text
            output.note(text)


class Bar:
    """A bar that is redrawn in place and fits 80 columns."""

    def __init__(self) -> None:
        colors = output.colored(sys.stderr)
        self._console = Console(file=sys.stderr, no_color=not colors, highlight=False)
        self._bar = Progress(
            TextColumn("{task.fields[head]}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self._console,
            refresh_per_second=8,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, job: Mapping[str, Any]) -> None:
        total = job["bytesTotal"]
        shown: dict[str, Any] = {
            "total": int(total) if total is not None else None,
            "completed": int(job["bytesDone"] or 0),
            "head": output.clean(head(job)),
            "numbers": "  ".join(numbers(job)),
        }
        if self._task is None:
            self._task = self._bar.add_task("", **shown)
        else:
            self._bar.update(self._task, **shown)

    def say(self, text: str) -> None:
        self._console.print(output.clean(text), markup=False)


def head(job: Mapping[str, Any]) -> str:
    """Where the job is: its stage while it runs, else its state."""
    stage = job["stage"] if job["state"] == "RUNNING" else None
    return str(stage or job["state"].lower())


def numbers(job: Mapping[str, Any]) -> list[str]:
    """Share, bytes, speed, time left and files, as far as they are known."""
    shown = []
    if job["progress"] is not None:
        shown.append(f"{job['progress'] * 100:3.0f}%")
    if job["bytesDone"] is not None and job["bytesTotal"] is not None:
        shown.append(f"{size(job['bytesDone'])}/{size(job['bytesTotal'])}")
    if job["state"] == "RUNNING" and job["bytesPerSecond"]:
        shown.append(f"{size(job['bytesPerSecond'])}/s")
    if job["state"] == "RUNNING" and job["eta"]:
        shown.append(f"eta {span(seconds(job['eta']))}")
    if job["files"]["totalCount"]:
        shown.append(f"{job['filesDone']['totalCount']}/{job['files']['totalCount']} files")
    return shown
