"""Links lead somewhere, commands exist, decisions have their shape, generated parts are fresh."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer
from mllm_client.cli import app

from scripts.docs_meanings import DEFAULTS, MEANINGS
from scripts.docs_settings import GROUPS
from tests.docs.pages import DOCS, ROOT, anchors, blocks, pages, prose

LINK = re.compile(r"\]\(([^()\s]+)\)")
ADRS = sorted((DOCS / "adr").glob("[0-9]*.md"))


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=named)
def test_links_lead_to_files_and_headings_that_exist(page: Path):
    for link in LINK.findall(prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_reached_from_the_index():
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(prose(page)))
        targets = ((page.parent / link).resolve() for link in links if link)
        waiting += [t / "README.md" if t.is_dir() else t for t in targets if t.exists()]
    assert set(DOCS.rglob("*.md")) - seen == set()
    index = LINK.findall((DOCS / "index.md").read_text())
    assert {p.name for p in DOCS.glob("*.md")} - {"index.md"} <= set(index)


@pytest.mark.parametrize("adr", ADRS, ids=named)
def test_a_decision_has_its_four_parts_on_at_most_sixty_lines(adr: Path):
    text = adr.read_text()
    titles = re.findall(r"^## (.+)$", text, re.M)
    assert titles == ["Context", "Decision", "Consequences", "Rejected alternatives"]
    assert len(text.splitlines()) <= 60
    number, _, words = adr.stem.partition("-")
    title = text.partition("\n")[0]
    assert re.sub(r"[^\w ]", "", title.lower()) == f" {int(number)} {words.replace('-', ' ')}"
    assert f"({adr.name})" in (DOCS / "adr" / "README.md").read_text()


def test_generated_parts_are_what_the_code_says():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.docs_generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_setting_is_described_in_one_place():
    fields = {f"{g}.{f}": i for g, group in GROUPS.items() for f, i in group.model_fields.items()}
    undescribed = {key for key, info in fields.items() if not info.description}
    assert set(MEANINGS) == undescribed
    assert set(DEFAULTS) <= set(fields)


def test_commands_that_pages_name_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    verbs = known_verbs()
    for page in pages():
        text = "\n".join([*blocks(page, "sh"), *blocks(page, "console"), *inline(page)])
        for target in re.findall(r"(?:^|\s)make ([a-z]+)", text):
            assert target in targets, f"{page.name}: make {target}"
        for verb in re.findall(r"(?:^\$ |^|bin/)mllm ([a-z]+(?: [a-z]+)?)", text, re.M):
            words = tuple(verb.split(" "))
            assert words[:1] in verbs or words in verbs, f"{page.name}: mllm {verb}"
        for script in re.findall(r"(?:^|\s)(scripts/[a-z]+)(?:\s|$)", text):
            assert (ROOT / script).exists(), f"{page.name}: {script}"


def inline(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


def known_verbs() -> set[tuple[str, ...]]:
    """`(noun, verb)` of every noun, `(verb,)` of those that stand alone, and the plugins named."""
    root = typer.main.get_command(app.root)
    context = root.context_class(root, info_name="mllm")
    found: set[tuple[str, ...]] = {("server",), ("foo",)}
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if hasattr(command, "list_commands"):
            found |= {(name, verb) for verb in command.list_commands(context)}
        else:
            found.add((name,))
    return found
