"""scripts/graphiql never stands in the way of `make serve`, and costs nothing when there is
nothing to do.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack import ROOT

TOOLS = ("bash", "cat", "dirname", "find", "gzip", "mktemp", "mv", "rm", "sed", "sha256sum")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The script and its sources, never built, and a folder of tools without Node."""
    sources = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(ROOT / "ui" / "graphiql", tmp_path / "ui" / "graphiql", ignore=sources)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "graphiql", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def program(tree: Path, name: str, script: str) -> None:
    path = tree / "bin" / name
    path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
    path.chmod(0o755)


def build(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tree / "scripts" / "graphiql", *arguments],
        env={**os.environ, "PATH": str(tree / "bin"), "TMPDIR": str(tree)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_not_built(run: subprocess.CompletedProcess[str], tree: Path, *, why: str):
    assert run.stdout == ""
    told = [line for line in run.stderr.splitlines() if line != "building GraphiQL, once"]
    assert len(told) == 1
    assert told[0].startswith(f"GraphiQL is not built: {why}")
    assert not (tree / "ui" / "graphiql" / "dist").exists()


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--required",), 1)])
def test_missing_node_is_told_in_one_line(tree: Path, arguments: tuple[str, ...], code: int):
    run = build(tree, *arguments)
    assert run.returncode == code
    assert_not_built(run, tree, why="Node 20 or newer is missing. Everything else works")


def test_old_node_counts_as_missing(tree: Path):
    program(tree, "node", "echo v18.20.4")
    run = build(tree)
    assert run.returncode == 0
    assert_not_built(run, tree, why="Node 20 or newer is missing")


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--required",), 1)])
def test_unreachable_registry_names_the_log(tree: Path, arguments: tuple[str, ...], code: int):
    program(tree, "node", "echo v20.19.0")
    program(tree, "npm", "echo 'npm error network' >&2; exit 1")
    run = build(tree, *arguments)
    assert run.returncode == code
    assert_not_built(run, tree, why="npm ci failed, see ")
    log = next(tree.glob("mllm-graphiql.*"))
    assert str(log) in run.stderr
    assert log.read_text() == "npm error network\n"


def test_build_is_made_once_and_again_after_a_change(tree: Path):
    package = tree / "ui" / "graphiql"
    program(tree, "node", f'[ "$1" = --version ] && echo v20.19.0 || {tree}/bin/vite "$@"')
    program(tree, "npm", "echo npm >>calls")
    program(tree, "vite", "echo vite >>calls; cp -r made node_modules/.dist")
    program(tree, "cp", f'exec {shutil.which("cp")} "$@"')
    (package / "node_modules").mkdir()
    (package / "made" / "assets").mkdir(parents=True)
    (package / "made" / "index.html").write_text("built")
    (package / "made" / "assets" / "app.js").write_text("export {};")
    calls = package / "calls"

    assert build(tree, "--required").stderr == "building GraphiQL, once\n"
    assert (package / "dist" / "index.html").read_text() == "built"
    assert (package / "dist" / "assets" / "app.js.gz").exists()
    assert (package / "dist" / "assets" / "app.js").exists()
    assert calls.read_text().split() == ["npm", "vite"]

    second = build(tree, "--required")
    assert (second.returncode, second.stderr) == (0, "")
    assert calls.read_text().split() == ["npm", "vite"]

    with (package / "src" / "examples.ts").open("a") as source:
        source.write("// changed\n")
    assert build(tree, "--required").returncode == 0
    assert calls.read_text().split() == ["npm", "vite", "vite"]


def test_lock_file_names_no_host():
    text = (ROOT / "ui" / "graphiql" / "package-lock.json").read_text()
    assert "://" not in text
    assert '"resolved"' not in text
