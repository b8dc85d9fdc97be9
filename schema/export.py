"""Prints the schema: `python -m schema.export` to schema.graphql, `--check` compares with it."""

import difflib
import sys
from pathlib import Path

from schema.root import build

FILE = Path(__file__).resolve().parent.parent / "schema.graphql"


def main(arguments: list[str]) -> int:
    printed = build().as_str() + "\n"
    if arguments == []:
        FILE.write_text(printed, encoding="utf-8")
        return 0
    if arguments != ["--check"]:
        sys.stderr.write("usage: python -m schema.export [--check]\n")
        return 2
    committed = FILE.read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        committed.splitlines(), printed.splitlines(), "schema.graphql", "the code", lineterm=""
    )
    difference = "\n".join(lines)
    if difference:
        sys.stderr.write(f"{difference}\nschema.graphql is stale: run `python -m schema.export`\n")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
