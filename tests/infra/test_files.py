"""Atomic steps of the file system."""

import errno
from pathlib import Path

import pytest

from infra.files import exchange, fsync_folder, rename_no_replace


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "file").write_text(content)
    return path


def test_rename_moves_a_folder(tmp_path: Path):
    source = folder(tmp_path / "source", "new")
    rename_no_replace(source, tmp_path / "target")
    assert (tmp_path / "target" / "file").read_text() == "new"
    assert not source.exists()


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "dangling link"])
def test_rename_replaces_nothing(tmp_path: Path, kind: str):
    source, target = folder(tmp_path / "source", "new"), tmp_path / "target"
    match kind:
        case "folder":
            folder(target, "old")
        case "empty folder":
            target.mkdir()
        case "file":
            target.write_text("old")
        case "dangling link":
            target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError) as e:
        rename_no_replace(source, target)
    assert e.value.errno == errno.EEXIST
    assert (source / "file").read_text() == "new"
    if kind == "folder":
        assert (target / "file").read_text() == "old"
    assert target.is_symlink() == (kind == "dangling link")


def test_rename_of_nothing_is_told(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        rename_no_replace(tmp_path / "missing", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_rename_into_a_missing_folder_is_told(tmp_path: Path):
    source = folder(tmp_path / "source", "new")
    with pytest.raises(FileNotFoundError):
        rename_no_replace(source, tmp_path / "missing" / "target")
    assert source.exists()


def test_exchange_swaps_two_folders(tmp_path: Path):
    new, old = folder(tmp_path / "new", "new"), folder(tmp_path / "old", "old")
    exchange(new, old)
    assert (old / "file").read_text() == "new"
    assert (new / "file").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "old"]


def test_exchange_needs_both(tmp_path: Path):
    new = folder(tmp_path / "new", "new")
    with pytest.raises(FileNotFoundError):
        exchange(new, tmp_path / "missing")
    assert (new / "file").read_text() == "new"


def test_folder_is_synced_and_a_missing_one_is_told(tmp_path: Path):
    fsync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        fsync_folder(tmp_path / "missing")
