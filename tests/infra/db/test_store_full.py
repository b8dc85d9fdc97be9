"""SQLite on a full disk: what must be written is, the rest is refused whole."""

from pathlib import Path

from tests.small_volume import run_inside


def test_store_and_ballast_on_a_full_disk():
    run_inside(str(Path(__file__).with_name("inside_small_volume.py")))
