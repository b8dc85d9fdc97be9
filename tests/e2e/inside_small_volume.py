"""What test_disk_full.py runs: somebody else fills the volume while weights are fetched."""

import hashlib
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from server.children import LogFile
from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.faults import Rate
from tests.small_volume import fill, mounted
from tests.stack import Stack

T = TypeVar("T")
MIB = 1 << 20
DEADLINE_S = 40
BIG, SMALL = "acme/big", "acme/small"
FILES = {f"model-{n}.safetensors": random.Random(n).randbytes(12 * MIB) for n in (1, 2)}
TOTAL = sum(map(len, FILES.values()))
SMALL_FILE = bytes(64 << 10)
INSTALL = """
mutation($repo: String!) {
  weightsInstall(input: {hubRepo: $repo}) { job { id } userErrors { code message field } }
}"""
JOB = """
query($id: ID!) {
  job(id: $id) {
    state attempt bytesDone retryOf { id } error { code message hint retryable }
    logs(first: 100) { nodes { message } }
  }
}"""
CONTROL = "mutation($id: ID!) { %s(id: $id) { job { id state } userErrors { code message } } }"
COUNT = "{ jobs { nodes { id } } }"


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    repositories = [
        Repository(id=BIG, files=FILES),
        Repository(id=SMALL, files={"model.bin": SMALL_FILE}),
    ]
    with HubDouble(repositories) as hub:
        yield hub


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return mounted(tmp_path / "small", size_bytes=96 * MIB)


def start(hub: HubDouble, home: Path, root: Path) -> Stack:
    env = {
        "HF_ENDPOINT": hub.endpoint,
        "MLLM_WEIGHTS__ROOT": str(root),
        "MLLM_WEIGHTS__KEEP_FREE_BYTES": "0",
        "MLLM_WEIGHTS__KEEP_FREE_PERCENT": "0",
        # A file that is begun has its room; the one after it has not
        "MLLM_HUB__PARALLEL_FILES": "1",
        "MLLM_JOBS__HOUSEKEEPING_EVERY_S": "0.5",
    }
    return Stack(home=home, env=env)


def until(look: Callable[[], T]) -> T:
    """The first true answer."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, look
        time.sleep(0.05)
    return found


def job(stack: Stack, job_id: str) -> dict[str, Any]:
    answer = stack.graphql(JOB, {"id": job_id})
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["job"]
    return found


def in_state(stack: Stack, job_id: str, *states: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = job(stack, job_id)
        return found if found["state"] in states else None

    return until(look)


def install(stack: Stack, repo: str) -> str:
    answer = stack.graphql(INSTALL, {"repo": repo})
    assert answer["data"]["weightsInstall"]["userErrors"] == [], answer
    return str(answer["data"]["weightsInstall"]["job"]["id"])


def control(stack: Stack, verb: str, job_id: str) -> dict[str, Any]:
    answer = stack.graphql(CONTROL % verb, {"id": job_id})
    payload = answer["data"][verb]
    assert payload["userErrors"] == [], answer
    found: dict[str, Any] = payload["job"]
    return found


def fetching(stack: Stack, hub: HubDouble) -> str:
    """A job in the middle of its download."""
    hub.faults.cdn.set(Rate(bytes_per_s=4 * MIB))
    job_id = install(stack, BIG)
    until(lambda: int(job(stack, job_id)["bytesDone"] or 0) > 3 * MIB)
    return job_id


def failed_for_want_of_room(stack: Stack, job_id: str, root: Path) -> None:
    ended = in_state(stack, job_id, "FAILED", "COMPLETED", "CANCELLED")
    error = ended["error"]
    assert (ended["state"], ended["attempt"]) == ("FAILED", 1)
    assert (error["code"], error["retryable"]) == ("NO_SPACE", False)
    told = re.search(
        r"; (\d+) bytes more are needed, and (\d+) of (\d+) are free", error["message"]
    )
    assert told, error
    left, free, capacity = map(int, told.groups())
    assert 0 < left < TOTAL
    assert free < 2 * MIB
    assert capacity == 96 * MIB
    assert "retry" in error["hint"]
    assert any("giving up" in line["message"] for line in ended["logs"]["nodes"])
    assert [p.name for p in (root / ".staging").iterdir()] == [job_id]
    assert not (root / BIG).exists()


def goes_on(stack: Stack, hub: HubDouble, failed_id: str, root: Path) -> None:
    """The retry fetches only what is not there, and ends well."""
    hub.faults.clear()
    before = hub.counters.cdn.body_bytes
    hub.reset_counters()
    retry_id = until(lambda: control(stack, "jobRetry", failed_id))["id"]
    ended = in_state(stack, retry_id, "FAILED", "COMPLETED", "CANCELLED")
    assert (ended["state"], ended["retryOf"]) == ("COMPLETED", {"id": failed_id}), ended
    lines = [line["message"] for line in ended["logs"]["nodes"]]
    assert f"going on from what {failed_id} has fetched" in lines
    assert before > 3 * MIB
    assert hub.counters.cdn.body_bytes <= TOTAL - before + MIB
    for name, content in FILES.items():
        there = (root / BIG / name).read_bytes()
        assert hashlib.sha256(there).digest() == hashlib.sha256(content).digest()
    assert list((root / ".staging").iterdir()) == []


def test_weights_on_the_volume_and_the_database_elsewhere(
    hub: HubDouble, small: Path, tmp_path: Path
):
    root = small / "weights"
    with start(hub, tmp_path / "home", root) as stack:
        job_id = fetching(stack, hub)
        filler = fill(small)
        failed_for_want_of_room(stack, job_id, root)
        refused = stack.graphql(INSTALL, {"repo": SMALL})["data"]["weightsInstall"]
        assert refused["job"] is None
        assert [error["code"] for error in refused["userErrors"]] == ["NO_SPACE"]
        filler.unlink()
        goes_on(stack, hub, job_id, root)


def test_room_for_the_files_but_not_for_their_manifest(hub: HubDouble, small: Path, tmp_path: Path):
    root = small / "weights"
    with start(hub, tmp_path / "home", root) as stack:
        filler = fill(small)
        os.truncate(filler, filler.stat().st_size - len(SMALL_FILE))
        job_id = install(stack, SMALL)
        ended = in_state(stack, job_id, "FAILED", "COMPLETED")
        assert (ended["state"], ended["attempt"]) == ("FAILED", 1)
        assert ended["error"]["code"] == "NO_SPACE"
        message = ended["error"]["message"]
        assert message.startswith(f"no room for {SMALL}: ")
        assert f"; 0 bytes more are needed, and 0 of {96 * MIB} are free at {root}" in message
        assert not (root / SMALL).exists()
        filler.unlink()
        hub.reset_counters()
        retry_id = control(stack, "jobRetry", job_id)["id"]
        assert in_state(stack, retry_id, "FAILED", "COMPLETED")["state"] == "COMPLETED"
        assert hub.counters.cdn.body_bytes == 0
        assert (root / SMALL / "model.bin").read_bytes() == SMALL_FILE


def test_weights_and_database_on_the_same_volume(hub: HubDouble, small: Path):
    home, root = small / "home", small / "home" / "weights"
    with start(hub, home, root) as stack:
        ballast = home / "mllm.db-ballast"
        until(lambda: ballast.exists() and ballast.stat().st_size == 16 * MIB)
        job_id = fetching(stack, hub)
        filler = fill(small)
        failed_for_want_of_room(stack, job_id, root)
        assert ballast.stat().st_size < 16 * MIB
        job_id = what_cannot_be_written_is_refused(stack, job_id, small)
        filler.unlink()
        (small / "more").unlink()
        until(lambda: ballast.stat().st_size == 16 * MIB)
        goes_on(stack, hub, job_id, root)


def what_cannot_be_written_is_refused(stack: Stack, job_id: str, small: Path) -> str:
    """And leaves no trace, while all can be read. The job to retry: a heartbeat may have made room
    in the very moment, and then there is a job more, which finds no room for its files.
    """
    known = [job_id]
    while True:
        fill(small, "more")
        answer = stack.graphql(CONTROL % "jobRetry", {"id": known[-1]})
        if "errors" in answer:
            break
        known.append(answer["data"]["jobRetry"]["job"]["id"])
        assert in_state(stack, known[-1], "FAILED", "COMPLETED")["state"] == "FAILED"
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "NO_SPACE"
    assert error["message"] == "the disk of the database is full: nothing was changed"
    ids = [node["id"] for node in stack.graphql(COUNT)["data"]["jobs"]["nodes"]]
    assert sorted(ids) == sorted(known)
    assert stack.get("/healthz")[0] == 200
    return known[-1]


def test_log_that_has_no_room_beside_it_stays_as_it_is(small: Path):
    log = LogFile(small / "logs" / "api.log")
    log.path.write_bytes(b"x" * (11 * MIB))
    fill(small)
    log.trim()
    assert [p.name for p in log.path.parent.iterdir()] == ["api.log"]
    assert log.path.stat().st_size == 11 * MIB


def test_running_job_is_cancelled_on_a_full_disk_and_makes_room(hub: HubDouble, small: Path):
    home, root = small / "home", small / "home" / "weights"
    with start(hub, home, root) as stack:
        ballast = home / "mllm.db-ballast"
        until(lambda: ballast.exists() and ballast.stat().st_size == 16 * MIB)
        job_id = fetching(stack, hub)
        assert control(stack, "jobPause", job_id)["state"] == "PAUSED"
        fill(small)
        assert control(stack, "jobCancel", job_id)["state"] == "CANCELLED"
        until(lambda: list((root / ".staging").iterdir()) == [])
        assert job(stack, job_id)["state"] == "CANCELLED"
