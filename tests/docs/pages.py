"""The Markdown of this tree, and what tests ask of it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_HEADING = re.compile(r"^#+ +(.+)$", re.M)


def pages() -> list[Path]:
    """Every page that a reader of the documentation can reach."""
    top = (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
    return [*top, *sorted(DOCS.rglob("*.md")), ROOT / "deploy" / "README.md"]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return [body for name, body in _FENCE.findall(page.read_text()) if name == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What `#…` may name in the page, by GitHub's rule for headings."""
    headings = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def keys_below(page: Path, title: str) -> set[str]:
    """The first column of the first table that follows the line `title`."""
    _before, found, rest = page.read_text().partition(f"\n{title}\n")
    assert found, f"{page.name} has no line {title!r}"
    table = re.search(r"^\|.*?(?=\n\n|\Z)", rest, re.M | re.S)
    assert table is not None, title
    return set(re.findall(r"^\| `([\w.]+)` \|", table[0], re.M))
