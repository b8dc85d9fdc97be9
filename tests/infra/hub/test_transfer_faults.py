"""Each way in which a hub, its CDN or the disk can fail: recovered from, or named."""

import hashlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.hub.errors import (
    CorruptContent,
    DiskFull,
    EntryNotFound,
    HubUnavailable,
)
from infra.hub.transfer.engine import transfer
from tests.fakes.hub.counters import ServedRange
from tests.fakes.hub.faults import (
    Corrupt,
    ExpireUrls,
    IgnoreRange,
    Rate,
    Stall,
    Status,
    Truncate,
    WrongContentLength,
    WrongContentRange,
)
from tests.infra.hub.repository import CONFIG, FILES, MIB, REPO, WEIGHTS, noise, plan_for, tiny
from tests.infra.hub.watching import Recorder, contents, run, transfer_threads

CONTENT = FILES[WEIGHTS]
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def weights(hub, commit):
    return plan_for(hub, WEIGHTS, revision=commit)


@pytest.fixture
def config(hub, commit):
    return plan_for(hub, CONFIG, revision=commit)


def test_corrupt_byte_is_recovered_from(hub, weights, tmp_path):
    hub.faults.cdn.set(Corrupt(offset=2 * MIB, times=1))
    heard = run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert heard.verified == {WEIGHTS: SHA256}
    assert heard.total_bytes == SIZE
    assert -SIZE in heard.steps
    assert hub.counters.cdn.bytes_by_blob == {SHA256: 2 * SIZE}


def test_corrupt_byte_of_a_git_file_is_recovered_from(hub, config, tmp_path):
    hub.faults.hub.set(Corrupt(offset=3, times=1))
    run(config, tmp_path)
    assert contents(tmp_path) == {CONFIG: FILES[CONFIG]}


def test_content_that_stays_corrupt_is_never_put_in_place(hub, weights, tmp_path):
    hub.faults.cdn.set(Corrupt(offset=0))
    with pytest.raises(CorruptContent) as caught:
        run(weights, tmp_path)
    corrupt = bytes([CONTENT[0] ^ 0xFF]) + CONTENT[1:]
    assert caught.value.path == WEIGHTS
    assert caught.value.expected == SHA256
    assert caught.value.actual == hashlib.sha256(corrupt).hexdigest()
    assert not (tmp_path / WEIGHTS).exists()
    assert hub.counters.cdn.bytes_by_blob == {SHA256: 2 * SIZE}
    hub.faults.clear()
    run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}


@pytest.mark.parametrize("content", [b"other", b'{"model_type": "tiNy"}'], ids=["size", "bytes"])
def test_file_that_was_exchanged_at_the_hub_is_corrupt(hub, config, tmp_path, content):
    hub.mutate(REPO, CONFIG, content)
    with pytest.raises(CorruptContent):
        run(config, tmp_path)
    assert not (tmp_path / CONFIG).exists()


def test_body_that_is_cut_is_continued(hub, weights, tmp_path):
    hub.faults.cdn.set(Truncate(after_bytes=2 * MIB, times=1))
    heard = run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert len(heard.retries) == 1
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}


def test_any_number_of_cuts_is_survived_as_long_as_bytes_arrive(hub, weights, tmp_path):
    hub.faults.cdn.set(Truncate(after_bytes=MIB // 2))
    heard = run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert len(heard.retries) == 8
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}


@pytest.mark.parametrize("origin", ["hub", "cdn"])
def test_server_that_is_busy_three_times_is_waited_for(hub, weights, tmp_path, origin):
    getattr(hub.faults, origin).set(Status(status=503, times=3))
    heard = run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert [retry.reason for retry in heard.retries] == ["answered 503"] * 3


@pytest.mark.parametrize("origin", ["hub", "cdn"])
@pytest.mark.parametrize("field", ["retry_after_s", "rate_limit_reset_s"])
def test_wait_that_the_server_asks_for_is_kept(hub, weights, tmp_path, origin, field):
    getattr(hub.faults, origin).set(Status(status=429, times=1, **{field: 1}))
    begun = time.monotonic()
    heard = run(weights, tmp_path)
    assert time.monotonic() - begun >= 1
    assert heard.retries == [(WEIGHTS, "answered 429", 1.0)]


def test_server_that_stays_busy_is_given_up_after_five_retries(hub, weights, tmp_path):
    hub.faults.cdn.set(Status(status=503, retry_after_s=0))
    with pytest.raises(HubUnavailable) as caught:
        run(weights, tmp_path)
    assert caught.value.retryable
    assert caught.value.path == WEIGHTS
    assert hub.counters.cdn.statuses == {503: 6}


def test_wait_beyond_reason_is_left_to_the_caller(hub, weights, tmp_path):
    hub.faults.hub.set(Status(status=429, retry_after_s=3600))
    with pytest.raises(HubUnavailable) as caught:
        run(weights, tmp_path)
    assert caught.value.retry_after_s == 3600


def test_expired_address_is_asked_for_again(hub, weights, tmp_path):
    hub.faults.hub.set(ExpireUrls(ttl_s=-1, times=1))
    run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert hub.counters.cdn.statuses == {403: 1, 200: 1}
    assert hub.counters.hub.requests == {"GET resolve": 2}


def test_address_that_expires_amid_the_body_is_asked_for_again(hub, weights, tmp_path):
    hub.faults.cdn.set(Truncate(after_bytes=MIB, times=1))

    class ExpiresThen(Recorder):
        def retried(self, path: str, reason: str, delay_s: float) -> None:
            if not self.retries:
                hub.faults.cdn.set(Status(status=403, times=1))
            super().retried(path, reason, delay_s)

    heard = ExpiresThen()
    transfer(weights, tmp_path, heard, threading.Event())
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert [retry.reason for retry in heard.retries] == [
        f"the answer ended {SIZE - MIB} bytes early",
        "the signed address was refused with 403",
    ]
    assert hub.counters.cdn.statuses == {200: 1, 403: 1, 206: 1}
    assert hub.counters.hub.requests == {"GET resolve": 2}
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}


def test_blob_that_the_cdn_does_not_have_is_a_missing_file(hub, weights, tmp_path):
    hub.faults.cdn.set(Status(status=404))
    with pytest.raises(EntryNotFound) as caught:
        run(weights, tmp_path)
    assert caught.value.path == WEIGHTS


def test_silent_server_is_left_after_the_timeout(hub, commit, tmp_path):
    hub.faults.cdn.set(Stall(after_bytes=2 * MIB, times=1))
    plan = plan_for(hub, WEIGHTS, revision=commit, timeout_s=0.5)
    heard = run(plan, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert [retry.reason for retry in heard.retries] == ["the server is silent"]
    assert hub.counters.cdn.ranges[-1] == ServedRange(SHA256, 2 * MIB, SIZE)


def test_server_that_knows_no_ranges_starts_the_file_over(hub, weights, tmp_path):
    (tmp_path / f"{WEIGHTS}.part").write_bytes(CONTENT[:MIB])
    hub.faults.cdn.set(IgnoreRange())
    heard = run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert heard.total_bytes == SIZE
    assert heard.steps.count(-MIB) == 1
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}


def test_server_that_knows_no_ranges_and_cuts_does_not_go_on_for_ever(hub, weights, tmp_path):
    hub.faults.cdn.set(IgnoreRange(), Truncate(after_bytes=MIB))
    with pytest.raises(HubUnavailable):
        run(weights, tmp_path)
    assert len(hub.counters.cdn.ranges) == 6


def test_range_that_was_not_asked_for_is_not_taken(hub, weights, tmp_path):
    (tmp_path / f"{WEIGHTS}.part").write_bytes(CONTENT[:MIB])
    hub.faults.cdn.set(WrongContentRange(shift_bytes=7))
    heard = run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}
    assert len(heard.retries) == 1


@pytest.mark.parametrize("delta_bytes", [-100, 100])
def test_length_that_is_not_the_listed_one_is_corrupt(hub, weights, tmp_path, delta_bytes):
    hub.faults.cdn.set(WrongContentLength(delta_bytes=delta_bytes))
    with pytest.raises(CorruptContent) as caught:
        run(weights, tmp_path)
    assert caught.value.expected == f"{SIZE} bytes"
    assert caught.value.actual == f"{SIZE + delta_bytes} bytes"
    assert not (tmp_path / WEIGHTS).exists()


def test_unreachable_hub_is_unavailable(hub, commit, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # taken, and nobody listens
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(HubUnavailable, match="refused"):
            run(plan_for(hub, WEIGHTS, revision=commit, endpoint=endpoint), tmp_path)


def test_first_failure_stops_the_other_files(hub, tmp_path):
    files = {"slow.bin": noise(8 * MIB, seed=5), "broken.bin": noise(MIB, seed=6)}
    commit = hub.add(tiny(files=files))
    slow = Rate(bytes_per_s=100_000, target="*/slow.bin")
    hub.faults.cdn.set(slow, Status(status=404, target="*/broken.bin"))
    begun = time.monotonic()
    with pytest.raises(EntryNotFound) as caught:
        run(plan_for(hub, *files, revision=commit), tmp_path)
    assert time.monotonic() - begun < 5  # the slow one alone needs 80 s
    assert caught.value.path == "broken.bin"
    assert transfer_threads() == []
    assert set(contents(tmp_path)) <= {"slow.bin.part", "broken.bin.part"}


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_named_and_what_fits_is_kept(hub, weights, tmp_path):
    with files_limited_to(2 * MIB), pytest.raises(DiskFull) as caught:
        run(weights, tmp_path)
    assert caught.value.path == WEIGHTS
    assert contents(tmp_path) == {f"{WEIGHTS}.part": CONTENT[: 2 * MIB]}
    run(weights, tmp_path)
    assert contents(tmp_path) == {WEIGHTS: CONTENT}


def test_disk_that_fails_otherwise_is_the_operating_systems_word(hub, weights, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        run(weights, tmp_path / "file")


def test_symbolic_link_in_staging_is_not_followed(hub, weights, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    staging = tmp_path / "staging"
    staging.mkdir()
    (staging / f"{WEIGHTS}.part").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        run(weights, staging)
    assert outside.read_bytes() == b"precious"
