"""The volume: no path leaves the root or hides in it, and a folder appears whole or not at all."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import AlreadyExists, Conflict, Invalid, NoSpace
from core.weights.volume import MANIFEST, Space, Volume, check_space, nested, parse_target
from infra.settings import Weights

JOB = "job_01k3v8m2f0c9xq7z5r4t6w8y0b"


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    volume = Volume(Weights(root=tmp_path / "root"))
    volume.open()
    return volume


def stage(volume: Volume, content: str = "new", *, manifest: bool = True) -> Path:
    folder = volume.staging_folder(JOB)
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text(content)
    if manifest:
        volume.write_manifest(folder, {"jobId": JOB})
    return folder


def put(volume: Volume, path: str, content: str = "old") -> Path:
    """Weights that are there already."""
    folder = volume.root / path
    folder.mkdir(parents=True)
    (folder / "file").write_text(content)
    volume.write_manifest(folder, {"jobId": "earlier"})
    return folder


def tree(volume: Volume) -> set[str]:
    """Everything below the root but staging itself."""
    found = {str(p.relative_to(volume.root)) for p in volume.root.rglob("*")}
    return found - {".staging"}


@pytest.mark.parametrize(
    "target", ["Qwen", "Qwen/Qwen2.5-0.5B", "a_b/c.d", "_x", "1/2/3/4/5/6/7/8", "x" * 128]
)
def test_targets(target: str):
    assert parse_target(target) == target


@pytest.mark.parametrize(
    "target",
    ["", ".", "..", "/", "/etc", "a/", "/a", "a//b", "../a", "a/..", "a/../b", "a/./b", ".a",
     "a/.b", ".staging", ".staging/x", "-a", "a/-b", "a\\b", "..\\a", "C:\\x", "a b", "a\n",
     "a\x00b", "~", "a/~", "$HOME", "a*", "a:b", "é", "a/b/c/d/e/f/g/h/i", "x" * 129,
     "mllm.json", "Qwen/mllm.json"],
)  # fmt: skip
def test_what_could_leave_the_root_or_hide_in_it_is_refused(target: str):
    with pytest.raises(Invalid) as e:
        parse_target(target)
    assert e.value.field == ["target"]


def test_long_target_is_refused():
    with pytest.raises(Invalid, match="longer than 512"):
        parse_target("/".join(["x" * 120] * 5))


@given(st.text(max_size=30))
def test_accepted_target_stays_below_the_root(target: str):
    try:
        parse_target(target)
    except Invalid:
        return
    assert os.path.normpath(f"/root/{target}") == f"/root/{target}"


@pytest.mark.parametrize(
    ("path", "other"),
    [("Qwen", "Qwen/x"), ("Qwen/x", "Qwen"), ("a/b/c", "a"), ("a", "a/b/c")],
)
def test_paths_inside_each_other(path: str, other: str):
    assert nested(path, ["z", other]) == other


@pytest.mark.parametrize(
    ("path", "other"), [("Qwen", "Qwen2"), ("Qwen2", "Qwen"), ("Qwen/x", "Qwen/y"), ("a", "a")]
)
def test_paths_beside_each_other(path: str, other: str):
    assert nested(path, [other]) is None


def test_new_target_is_fine_and_nothing_is_made(volume: Volume):
    volume.check_target("Qwen/x", overwrite=False)
    put(volume, "Qwen2/x")
    volume.check_target("Qwen/x", overwrite=False)
    volume.check_target("Qwen2/y", overwrite=False)
    assert not (volume.root / "Qwen").exists()


def test_target_that_exists_is_refused_unless_overwritten(volume: Volume):
    put(volume, "Qwen/x")
    with pytest.raises(AlreadyExists) as e:
        volume.check_target("Qwen/x", overwrite=False)
    assert e.value.field == ["target"]
    volume.check_target("Qwen/x", overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_target_inside_other_weights_is_refused(volume: Volume, overwrite: bool):
    put(volume, "Qwen")
    with pytest.raises(Conflict, match="inside the weights"):
        volume.check_target("Qwen/x/y", overwrite=overwrite)


def test_target_around_other_weights_is_refused(volume: Volume):
    """Overwriting it would remove them."""
    put(volume, "Qwen/deep/x")
    with pytest.raises(Conflict, match=r"around the weights at .*Qwen/deep/x"):
        volume.check_target("Qwen", overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("link", ["Qwen", "Qwen/x"])
def test_symbolic_link_is_never_followed(
    volume: Volume, tmp_path: Path, overwrite: bool, link: str
):
    outside = tmp_path / "outside"
    outside.mkdir()
    (volume.root / link).parent.mkdir(exist_ok=True)
    (volume.root / link).symlink_to(outside)
    with pytest.raises(Invalid, match="symbolic link"):
        volume.check_target("Qwen/x", overwrite=overwrite)
    with pytest.raises(Invalid, match="symbolic link"):
        volume.publish(stage(volume), "Qwen/x", overwrite=overwrite)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("file", ["Qwen", "Qwen/x"])
def test_file_in_the_way_is_refused(volume: Volume, overwrite: bool, file: str):
    (volume.root / file).parent.mkdir(exist_ok=True)
    (volume.root / file).write_text("mine")
    with pytest.raises(Conflict, match="is a file"):
        volume.check_target("Qwen/x", overwrite=overwrite)
    assert (volume.root / file).read_text() == "mine"


def test_publishing_moves_everything_at_once(volume: Volume):
    staged = stage(volume)
    assert {p for p in tree(volume) if not p.startswith(".staging")} == set()
    volume.publish(staged, "Qwen/x", overwrite=False)
    assert tree(volume) == {
        "Qwen", "Qwen/x", f"Qwen/x/{MANIFEST}", "Qwen/x/deep", "Qwen/x/deep/file"
    }  # fmt: skip
    assert volume.manifest("Qwen/x") == {"jobId": JOB}


def test_publishing_never_replaces(volume: Volume):
    old, staged = put(volume, "Qwen/x"), stage(volume)
    with pytest.raises(AlreadyExists):
        volume.publish(staged, "Qwen/x", overwrite=False)
    assert (old / "file").read_text() == "old"
    assert (staged / "deep" / "file").read_text() == "new"


PUBLISHED = {"Qwen", "Qwen/x", f"Qwen/x/{MANIFEST}", "Qwen/x/deep", "Qwen/x/deep/file"}


def test_overwriting_swaps_and_keeps_what_was_there_in_staging(volume: Volume):
    old, staged = put(volume, "Qwen/x"), stage(volume)
    descriptor = os.open(old / "file", os.O_RDONLY)
    try:
        volume.publish(staged, "Qwen/x", overwrite=True)
        volume.discard(JOB)
        # A server that maps the old file goes on with it.
        assert os.read(descriptor, 10) == b"old"
    finally:
        os.close(descriptor)
    assert tree(volume) == PUBLISHED


def test_published_folder_is_taken_back(volume: Volume):
    volume.publish(stage(volume), "Qwen/x", overwrite=False)
    volume.take_back("Qwen/x", JOB)
    assert not (volume.root / "Qwen" / "x").exists()
    assert volume.staged() == [JOB]
    volume.take_back("Qwen/x", JOB)


def test_overwritten_folder_comes_back(volume: Volume):
    put(volume, "Qwen/x")
    volume.publish(stage(volume), "Qwen/x", overwrite=True)
    volume.take_back("Qwen/x", JOB)
    assert volume.manifest("Qwen/x") == {"jobId": "earlier"}
    assert (volume.root / "Qwen" / "x" / "file").read_text() == "old"
    assert volume.staged() == [JOB]


def test_folder_of_another_job_is_not_taken_back(volume: Volume):
    put(volume, "Qwen/x")
    volume.take_back("Qwen/x", JOB)
    assert volume.manifest("Qwen/x") == {"jobId": "earlier"}


def test_overwriting_nothing_is_publishing(volume: Volume):
    volume.publish(stage(volume), "Qwen/x", overwrite=True)
    assert volume.manifest("Qwen/x") == {"jobId": JOB}
    assert volume.staged() == []


def test_staging_is_listed_measured_and_discarded(volume: Volume):
    assert (volume.staged(), volume.staging_bytes()) == ([], 0)
    stage(volume, "12345", manifest=False)
    assert (volume.staged(), volume.staging_bytes()) == ([JOB], 5)
    volume.discard(JOB)
    volume.discard(JOB)
    assert (volume.staged(), volume.staging_bytes()) == ([], 0)


def test_manifest_is_json_and_a_damaged_one_is_none(volume: Volume):
    folder = put(volume, "x")
    assert json.loads((folder / MANIFEST).read_text()) == volume.manifest("x")
    (folder / MANIFEST).write_bytes(b"\xff{")
    assert volume.manifest("x") is None
    assert volume.manifest("missing") is None


def test_addresses(tmp_path: Path):
    local = Volume(Weights(root=tmp_path))
    assert local.storage_uri("a/b") == f"file://{tmp_path}/a/b"
    claim = Volume(Weights(root=tmp_path, pvc_name="models", inference_root="/mnt/w"))
    assert claim.storage_uri("a/b") == "pvc://models/a/b"
    assert claim.inference_model_path("a/b") == "/mnt/w/a/b"


def test_space_keeps_the_larger_of_bytes_and_share(tmp_path: Path):
    stat = os.statvfs(tmp_path)
    capacity = stat.f_blocks * stat.f_frsize
    few = Volume(Weights(root=tmp_path, keep_free_bytes=1, keep_free_percent=50)).space()
    assert (few.capacity, few.keep_free) == (capacity, capacity // 2)
    many = Volume(Weights(root=tmp_path, keep_free_bytes=capacity, keep_free_percent=50)).space()
    assert many.keep_free == capacity


sizes = st.integers(0, 1 << 50)


@given(sizes, sizes, sizes, sizes)
def test_install_fits_if_it_leaves_what_is_reserved_and_kept(
    available: int, keep: int, wanted: int, reserved: int
):
    space = Space(1 << 51, available, keep)
    if wanted + reserved + keep <= available:
        check_space(space, wanted_bytes=wanted, reserved_bytes=reserved)
        return
    usable = max(0, available - reserved - keep)
    with pytest.raises(NoSpace, match=f"^{wanted} bytes are needed and {usable} can be used"):
        check_space(space, wanted_bytes=wanted, reserved_bytes=reserved)
