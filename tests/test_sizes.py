"""House numbers: a file has at most 400 lines, a function at most 60. Generated code and
migrations are exempt.
"""

import ast
from pathlib import Path

from tests.test_layout import ROOT, committed

FILE_LINES = 400
FUNCTION_LINES = 60
EXEMPT = ("client/mllm_client/_generated/", "migrations/versions/")


def sources() -> list[Path]:
    return [
        path
        for path in committed()
        if path.suffix == ".py" and not str(path.relative_to(ROOT)).startswith(EXEMPT)
    ]


def test_no_file_is_longer_than_400_lines():
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in sources()}
    assert {name: n for name, n in lengths.items() if n > FILE_LINES} == {}


def test_no_function_is_longer_than_60_lines():
    long = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_ignores_are_rare():
    """At most one lint or type ignore in two hundred lines, over all rooms."""
    rooms = ("server", "schema", "resolvers", "core", "infra", "jobs", "watchers", "client")
    texts = [p.read_text() for p in sources() if p.relative_to(ROOT).parts[0] in rooms]
    lines = sum(len(text.splitlines()) for text in texts)
    ignores = sum(text.count("# noqa") + text.count("# type: ignore") for text in texts)
    assert ignores * 200 <= lines, f"{ignores} ignores in {lines} lines"
