"""Tables without boxes. Imports rich, so it is imported when a table is printed."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mllm_client.cli.output import clean

STATE_STYLES = {
    "RUNNING": "cyan",
    "COMPLETED": "green",
    "PASS": "green",
    "PAUSED": "yellow",
    "WARN": "yellow",
    "FAILED": "red",
    "FAIL": "red",
    "CANCELLED": "dim",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column; it is left out on terminals narrower than `from_width`.

    `cell` makes the text of a row. `whole` columns are never cut: identifiers.
    """

    title: str
    cell: Callable[[Mapping[str, Any]], object]
    right: bool = False
    whole: bool = False
    from_width: int = 0


def rendered(
    shape: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, width: int, color: bool
) -> str:
    """The table as text of at most `width` columns, without trailing spaces."""
    shown = [column for column in shape if width >= column.from_width]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in shown:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        fixed = column.right or column.whole
        table.add_column(column.title, justify=justify, no_wrap=fixed, overflow="fold")
    for row in rows:
        table.add_row(*(cell_of(column, row) for column in shown))
    screen = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        color_system="standard" if color else None,
    )
    with screen.capture() as captured:
        screen.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def cell_of(column: Column, row: Mapping[str, Any]) -> Text:
    value = column.cell(row)
    text = "-" if value is None else clean(value)
    return Text(text, style=STATE_STYLES.get(text.partition(" ")[0], ""))
