"""Rewrites the parts of docs/ that the code knows better; `--check` compares and changes nothing.

A generated part lies between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; the words around
it are written by hand.
"""

import difflib
import sys
from collections.abc import Callable
from pathlib import Path

from scripts import docs_cli, docs_settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "cli.md": {"cli": docs_cli.reference},
    "configuration.md": {"settings": docs_settings.tables},
}


def rendered(name: str, text: str) -> str:
    """`text` of the file `name` with its generated parts anew; raises ValueError without marks."""
    for part, generate in PARTS[name].items():
        start, end = f"<!-- generated: {part} -->\n", f"<!-- end: {part} -->"
        before, found, rest = text.partition(start)
        _old, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"docs/{name} has no part {part!r}: {start.strip()} … {end}")
        text = f"{before}{start}{generate()}{closed}{after}"
    return text


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: scripts/docs [--check]\n")
        return 2
    stale = False
    for name in PARTS:
        path = DOCS / name
        text = path.read_text(encoding="utf-8")
        fresh = rendered(name, text)
        if not arguments:
            path.write_text(fresh, encoding="utf-8")
        elif fresh != text:
            stale = True
            lines = difflib.unified_diff(
                text.splitlines(), fresh.splitlines(), f"docs/{name}", "the code", lineterm=""
            )
            sys.stderr.write("\n".join(lines) + "\n")
    if stale:
        sys.stderr.write("docs are stale: run `scripts/docs`\n")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
