"""A target that is taken, busy or nested; the same request twice; bytes other than promised."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e import disk
from tests.e2e.refusal import (
    FAILURE,
    FILES,
    OTHER,
    SMALL,
    gone,
    jobs,
    mistake,
    nothing_happens,
    queued,
    repositories,
    root_of,
)
from tests.e2e.watching import ended
from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.faults import Corrupt, Stall, Status
from tests.stack import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def hub() -> Iterator[HubDouble]:
    with HubDouble(repositories()) as hub:
        yield hub


@pytest.fixture(scope="module")
def stack(hub: HubDouble) -> Iterator[Stack]:
    with Stack(env={"HF_ENDPOINT": hub.endpoint}) as stack:
        yield stack


def test_existing_target_needs_overwrite_and_is_then_replaced(stack: Stack, hub: HubDouble):
    folder = root_of(stack) / "here"
    first = queued(stack, hubRepo=OTHER, target="here")
    assert ended(stack, first["job"]["id"])["state"] == "COMPLETED"
    with nothing_happens(stack):
        error = mistake(stack, hubRepo=SMALL, target="here")
        run = stack.cli("weights", "install", SMALL, "--target", "here")
    assert (error["code"], error["field"]) == ("ALREADY_EXISTS", ["input", "target"])
    assert "overwrite" in error["hint"]
    assert (run.returncode, run.stdout) == (FAILURE, "")
    assert "'here' exists already" in run.stderr
    assert sorted(disk.hashes(folder)) == ["config.json", "model.bin"]

    run = stack.cli("weights", "install", SMALL, "--target", "here", "--overwrite", "--watch")
    assert run.returncode == 0, run.stderr
    assert disk.hashes(folder) == disk.promised(hub, Repository(id=SMALL, files=FILES))
    assert disk.manifest(folder)["hubRepo"] == SMALL
    assert disk.entries(root_of(stack) / ".staging") == []
    shown = json.loads(stack.cli("weights", "info", "here", "-o", "json").stdout)
    assert (shown["hubRepo"], shown["fileCount"]) == (SMALL, 2)


def test_target_inside_or_around_others_is_refused(stack: Stack):
    done = queued(stack, hubRepo=OTHER, target="nest/egg")
    assert ended(stack, done["job"]["id"])["state"] == "COMPLETED"
    with nothing_happens(stack):
        for target in ("nest", "nest/egg/yolk"):
            for overwrite in (False, True):
                error = mistake(stack, hubRepo=OTHER, target=target, overwrite=overwrite)
                assert error["code"] in ("CONFLICT", "ALREADY_EXISTS")
                assert error["field"] == ["input", "target"]


def test_running_install_is_joined_by_an_equal_one_and_refuses_another(
    stack: Stack, hub: HubDouble
):
    hub.faults.cdn.set(Stall(after_bytes=1000))
    try:
        first = queued(stack, hubRepo=SMALL, target="busy")
        job_id = first["job"]["id"]
        count = jobs(stack)
        again = queued(stack, hubRepo=SMALL, target="busy", revision="main")
        assert (first["joined"], again["joined"]) == (False, True)
        assert again["job"]["id"] == job_id
        joined = stack.cli("weights", "install", SMALL, "--target", "busy")
        assert joined.returncode == 0
        assert job_id in joined.stdout
        assert "joined" in joined.stderr
        for fields in ({"hubRepo": OTHER}, {"hubRepo": SMALL, "allow": ["*.json"]}):
            error = mistake(stack, **fields, target="busy")
            assert (error["code"], error["field"]) == ("CONFLICT", ["input", "target"])
            assert job_id in error["message"]
            assert error["hint"] == "wait for it, cancel it, or choose another target"
        error = mistake(stack, hubRepo=SMALL, target="busy/inside")
        assert error["code"] == "CONFLICT"
        refused = stack.cli("weights", "install", OTHER, "--target", "busy")
        assert (refused.returncode, refused.stdout) == (FAILURE, "")
        assert job_id in refused.stderr
        assert jobs(stack) == count
        assert not (root_of(stack) / "busy").exists()
    finally:
        cancelled = stack.cli("jobs", "cancel", job_id)
        hub.faults.clear()
    assert cancelled.returncode == 0, cancelled.stderr
    assert ended(stack, job_id)["state"] == "CANCELLED"
    gone(root_of(stack) / ".staging" / job_id)
    assert not (root_of(stack) / "busy").exists()


def test_idempotency_key_answers_the_first_job(stack: Stack):
    first = queued(stack, hubRepo=OTHER, target="once", idempotencyKey="k1")
    assert ended(stack, first["job"]["id"])["state"] == "COMPLETED"
    count = jobs(stack)
    again = queued(stack, hubRepo=OTHER, target="once", idempotencyKey="k1")
    assert again["job"]["id"] == first["job"]["id"]
    run = stack.cli("weights", "install", OTHER, "--target", "once", "--idempotency-key", "k1")
    assert run.returncode == 0
    assert first["job"]["id"] in run.stdout
    assert jobs(stack) == count


def test_bytes_other_than_promised_are_never_published(stack: Stack, hub: HubDouble):
    hub.faults.cdn.set(Corrupt(offset=2_000_000))
    try:
        run = stack.cli("weights", "install", SMALL, "--target", "broken", "--watch")
    finally:
        hub.faults.clear()
    assert (run.returncode, run.stdout) == (FAILURE, "")
    assert "model.safetensors" in run.stderr
    assert "(CORRUPT)" in run.stderr
    assert "\nhint: the hub or a proxy serves other bytes" in run.stderr
    assert not (root_of(stack) / "broken").exists()
    assert disk.hashes(root_of(stack)).keys().isdisjoint({"broken/config.json"})


def test_hub_that_answers_errors_is_told(stack: Stack, hub: HubDouble):
    hub.faults.hub.set(Status(status=500, target="/*/resolve/*"))
    try:
        with nothing_happens(stack):
            error = mistake(stack, hubRepo=SMALL, target="later")
    finally:
        hub.faults.clear()
    assert error["code"] == "UNAVAILABLE"
    assert "answers 500" in error["message"]
    assert "HF_ENDPOINT" in error["hint"]
