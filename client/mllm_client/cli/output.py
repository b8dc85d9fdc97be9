"""The one place that prints: answers on standard output, everything else on standard error.

Control characters of foreign text (file names, log lines) never reach the terminal.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any

from mllm_client._lazy import lazy

if TYPE_CHECKING:
    import yaml

    from mllm_client.cli import tables
    from mllm_client.cli.tables import Column
else:
    yaml = lazy("yaml")
    tables = lazy("mllm_client.cli.tables")

PIPE_COLUMNS = 240  # a pipe has no width; wide enough that programs see whole lines
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
STYLES = {"error": "\x1b[1;31m", "hint": "\x1b[36m", "warning": "\x1b[33m"}


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def clean(text: object) -> str:
    """`text` without control characters other than tab and newline."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def forbid_color() -> None:
    """No colours from here on, in the way every library understands (https://no-color.org)."""
    os.environ["NO_COLOR"] = "1"


def colored(stream: IO[str]) -> bool:
    """Whether `stream` is a terminal that wants colours."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def columns() -> int:
    """Width of an answer: COLUMNS, else the terminal's, else that of a pipe."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or PIPE_COLUMNS
    except OSError:
        return PIPE_COLUMNS


def terminal_columns() -> int | None:
    """Width that a line of the answer may have; None: any, for programs read it."""
    return columns() if sys.stdout.isatty() else None


def line(text: str) -> None:
    """One line of the answer, at once."""
    print(clean(text), flush=True)


def note(text: str, *, kind: str | None = None) -> None:
    """One line beside the answer; `kind` puts `error:`, `hint:` or `warning:` before it."""
    prefix = ""
    if kind is not None:
        prefix = f"{STYLES[kind]}{kind}:\x1b[0m " if colored(sys.stderr) else f"{kind}: "
    print(prefix + clean(text), file=sys.stderr, flush=True)


def confirmed(question: str) -> bool:
    """Whether the person at the terminal says yes. The end of the input says no."""
    print(f"{clean(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def attended() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def structured(value: Any, form: Format) -> None:
    """The whole answer for programs, one document."""
    if form is Format.YAML:
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=PIPE_COLUMNS)
        print(text, end="", flush=True)
    else:
        print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def streamed(value: Any, form: Format) -> None:
    """One of many answers for programs: a JSON line, or a YAML document."""
    if form is Format.YAML:
        print("---", flush=True)
        structured(value, form)
    else:
        print(json.dumps(value, ensure_ascii=False), flush=True)


def table(shape: Sequence["Column"], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under headers, as many columns as fit."""
    print(tables.rendered(shape, rows, width=columns(), color=colored(sys.stdout)), flush=True)


def pairs(values: Sequence[tuple[str, object]]) -> None:
    """Names and values below each other; values that are None or empty are left out."""
    kept = [(name, clean(value)) for name, value in values if value not in (None, "")]
    indent = max((len(name) for name, _ in kept), default=0) + 2
    for name, value in kept:
        print(f"{name:<{indent}}{value}", flush=True)
