"""The rooms are ours: their names are not shadowed, pins hold, and no file tells where packages
came from.
"""

import importlib
import re
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from infra.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["server", "schema", "resolvers", "core", "infra", "jobs", "watchers", "migrations"]


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_imported_from_this_tree(room: str):
    found = importlib.import_module(room).__file__
    assert found is not None
    assert Path(found).parent == ROOT / room


def test_no_installed_distribution_provides_a_room():
    taken = {
        (distribution.name, top)
        for distribution in distributions()
        for file in distribution.files or []
        if (top := file.parts[0].removesuffix(".py")) in ROOMS
    }
    assert taken == set()


@pytest.mark.parametrize(
    ("package", "pattern"),
    [
        # arq caps redis below 6; asking for more silently installs arq 0.25 and a redis that
        # broadcaster cannot use.
        ("arq", r"0\.28\.\d+"),
        ("redis", r"5\.\d+\.\d+"),
        ("sqlalchemy", r"2\.1\.\d+"),
        ("strawberry-graphql", r"0\.341\.\d+"),
        ("graphql-core", r"3\.3\.\d+"),
        ("gql", r"4\.4\.\d+"),
    ],
)
def test_the_installed_version_is_the_pinned_one(package: str, pattern: str):
    assert re.fullmatch(pattern, version(package))


def test_one_version_everywhere():
    projects = [ROOT / "pyproject.toml", ROOT / "client" / "pyproject.toml"]
    told = {re.search(r'^version = "(.+)"$', p.read_text(), re.M)[1] for p in projects}
    assert told == {VERSION}


def test_no_committed_file_names_where_a_package_came_from():
    pattern = re.compile(
        rb'"resolved": *"https?:|registry *= *"https?:|^--(extra-)?index-url|^--find-links', re.M
    )
    assert [p for p in committed() if pattern.search(p.read_bytes())] == []
    assert not (ROOT / "uv.lock").exists()


def test_every_requirement_has_a_hash():
    for file in sorted((ROOT / "requirements").glob("*.txt")):
        text = file.read_text().replace("\\\n", " ")
        unhashed = [line for line in text.splitlines() if "==" in line and "--hash=" not in line]
        assert unhashed == [], file.name
