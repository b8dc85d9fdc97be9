"""A volume that others fill while weights are fetched: told, recorded, and gone on with later."""

from pathlib import Path

import pytest

from tests.small_volume import run_inside

INSIDE = Path(__file__).with_name("inside_small_volume.py")


@pytest.mark.e2e
@pytest.mark.parametrize(
    "scenario",
    [
        "test_weights_on_the_volume_and_the_database_elsewhere",
        "test_room_for_the_files_but_not_for_their_manifest",
        "test_weights_and_database_on_the_same_volume",
        "test_log_that_has_no_room_beside_it_stays_as_it_is",
        "test_running_job_is_cancelled_on_a_full_disk_and_makes_room",
    ],
)
def test_full_disk(scenario: str):
    run_inside(f"{INSIDE}::{scenario}")
