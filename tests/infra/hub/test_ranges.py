"""A large file is fetched in ranges, by several connections; faults cost only what they hit."""

import hashlib
import itertools
import statistics
import threading
import time
from collections import Counter

import pytest

from infra.hub.errors import CorruptContent, DiskFull, HubUnavailable, TransferStopped
from infra.hub.transfer.pace import MIN_SEGMENT_BYTES
from tests.fakes.hub import HubDouble
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
from tests.infra.hub.repository import CONFIG, FILES, MIB, noise, plan_for, tiny
from tests.infra.hub.test_transfer_faults import files_limited_to
from tests.infra.hub.watching import Recorder, contents, in_thread, run

BIG = "big.safetensors"
CONTENT = noise(24 * MIB + 4321, seed=11)
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# What may be sent in vain: what one connection that is given up has under way at most, on loopback.
SLACK_BYTES = 6 * MIB


@pytest.fixture
def big(hub):
    commit = hub.add(tiny(files={BIG: CONTENT, CONFIG: FILES[CONFIG]}))
    return plan_for(hub, BIG, revision=commit)


def assert_whole(folder, heard) -> None:
    assert contents(folder) == {BIG: CONTENT}
    assert heard.verified == {BIG: SHA256}
    assert heard.total_bytes == SIZE


def test_ranges_of_several_connections_make_the_file(hub, big, tmp_path):
    plan = plan_for(hub, BIG, revision=big.revision, max_connections=4)
    heard = run(plan, tmp_path)
    assert_whole(tmp_path, heard)
    assert min(heard.steps) > 0
    assert heard.retries == []
    cdn = hub.counters.cdn
    assert cdn.bytes_by_blob == {SHA256: SIZE}
    assert set(cdn.statuses) == {206}
    assert 2 <= cdn.connections <= 4
    # Each byte is asked for once, and in pieces that are worth a request.
    asked = sorted((served.start, served.end) for served in cdn.ranges)
    assert [start for start, _ in asked] == [0, *(end for _, end in asked[:-1])]
    assert asked[-1][1] == SIZE
    assert min(end - start for start, end in asked[:-1]) >= MIN_SEGMENT_BYTES
    # The signed address serves all of them.
    assert hub.counters.hub.requests == {"GET resolve": 1}


@pytest.mark.parametrize("connections", [1, 32])
def test_any_number_of_connections_will_do(hub, big, tmp_path, connections):
    plan = plan_for(
        hub, BIG, revision=big.revision, connections=connections, max_connections=connections
    )
    assert_whole(tmp_path, run(plan, tmp_path))
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}


@pytest.mark.parametrize(
    "fault",
    [
        Status(status=503, times=1),
        Status(status=503, times=3),
        Status(status=429, times=1, retry_after_s=1),
        Status(status=429, times=1, rate_limit_reset_s=1),
        Status(status=403, times=2),
        Status(status=410, times=1),
        Truncate(after_bytes=3 * MIB, times=1),
        Truncate(after_bytes=MIB),
        WrongContentRange(shift_bytes=5, times=1),
        WrongContentLength(delta_bytes=100, times=1),
        WrongContentLength(delta_bytes=-100, times=1),
    ],
    ids=lambda fault: f"{type(fault).__name__}-{fault.times}",
)
def test_fault_is_recovered_from_with_hardly_a_byte_more(hub, big, tmp_path, fault):
    hub.faults.cdn.set(fault)
    heard = run(big, tmp_path)
    assert_whole(tmp_path, heard)
    assert hub.faults.cdn.fired(fault) >= 1
    assert hub.counters.cdn.bytes_by_blob[SHA256] <= SIZE + SLACK_BYTES


def test_expired_addresses_are_asked_for_anew(hub, big, tmp_path):
    hub.faults.hub.set(ExpireUrls(ttl_s=-1, times=2))
    assert_whole(tmp_path, run(big, tmp_path))
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}


def test_stalled_connection_is_left_and_its_range_fetched_by_another(hub, big, tmp_path):
    hub.faults.cdn.set(Stall(after_bytes=MIB, times=1))
    plan = plan_for(hub, BIG, revision=big.revision, timeout_s=0.5)
    heard = run(plan, tmp_path)
    assert_whole(tmp_path, heard)
    assert [retry.reason for retry in heard.retries] == ["the server is silent"]
    assert hub.counters.cdn.bytes_by_blob[SHA256] <= SIZE + SLACK_BYTES


def test_connection_that_lags_behind_is_helped_by_those_that_have_nothing_to_do(hub, big, tmp_path):
    """The first one is asked for 8 MiB, the others share the rest."""
    hub.faults.cdn.set(Rate(bytes_per_s=1_500_000, per_connection=True))
    plan = plan_for(hub, BIG, revision=big.revision, connections=16, max_connections=16)
    began = time.monotonic()
    heard = run(plan, tmp_path)
    # 24 MiB over 16 connections need 1.1 s; the first 8 MiB alone would need 5.6 s.
    assert time.monotonic() - began < 4.7
    assert_whole(tmp_path, heard)
    assert hub.counters.cdn.bytes_by_blob[SHA256] <= SIZE + SLACK_BYTES


def test_server_that_is_slow_but_not_silent_is_left(hub, big, tmp_path):
    hub.faults.cdn.set(Rate(bytes_per_s=200_000, per_connection=True))
    plan = plan_for(hub, BIG, revision=big.revision, least_bytes_per_s=1_000_000, slow_after_s=0.5)
    heard, stop = Recorder(), threading.Event()
    with in_thread(plan, tmp_path, heard, stop) as running:
        heard.wait_until(lambda heard: len(heard.retries) == 4)
        hub.faults.clear()
        running.result(30)
    assert_whole(tmp_path, heard)
    assert {retry.reason for retry in heard.retries} == {"the server is too slow"}


def test_progress_is_told_at_least_four_times_a_second(hub, big, tmp_path):
    """Also where a buffer takes longer than that to fill."""
    moments: list[float] = []

    class Clock(Recorder):
        def advanced(self, path: str, bytes_delta: int) -> None:
            moments.append(time.monotonic())
            super().advanced(path, bytes_delta)

    hub.faults.cdn.set(Rate(bytes_per_s=MIB, per_connection=True))
    heard, stop = Clock(), threading.Event()
    plan = plan_for(hub, BIG, revision=big.revision, connections=1, max_connections=1)
    with in_thread(plan, tmp_path, heard, stop) as running:
        heard.wait_until(lambda heard: heard.total_bytes >= 2 * MIB)
        stop.set()
        with pytest.raises(TransferStopped):
            running.result(10)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert statistics.median(gaps) <= 0.25


def test_hub_that_goes_away_amid_the_transfer_is_unavailable_and_what_came_is_kept(tmp_path):
    with HubDouble() as hub:
        commit = hub.add(tiny(files={BIG: CONTENT}))
        hub.faults.cdn.set(Rate(bytes_per_s=20 * MIB))
        plan = plan_for(hub, BIG, revision=commit)
        heard, stop = Recorder(), threading.Event()
        running = in_thread(plan, tmp_path, heard, stop)
        transferring = running.__enter__()
        heard.wait_until(lambda heard: heard.total_bytes >= 8 * MIB)
    try:
        with pytest.raises(HubUnavailable):
            transferring.result(30)
    finally:
        running.__exit__(None, None, None)
    assert not (tmp_path / BIG).exists()
    with HubDouble() as hub:
        hub.add(tiny(files={BIG: CONTENT}))
        again = run(plan_for(hub, BIG, revision=commit), tmp_path)
        assert hub.counters.cdn.body_bytes == SIZE - heard.total_bytes
    assert_whole(tmp_path, again)


def test_server_that_ignores_ranges_sends_one_stream(hub, big, tmp_path):
    hub.faults.cdn.set(IgnoreRange())
    heard = run(big, tmp_path)
    assert_whole(tmp_path, heard)
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}
    assert len(hub.counters.cdn.ranges) == 1


def test_server_that_turns_out_to_ignore_ranges_starts_the_file_over(hub, big, tmp_path):
    """The first range was answered as asked for, those of the other workers are not."""
    hub.faults.cdn.set(IgnoreRange(target=f"*/{BIG}"), Truncate(after_bytes=5 * MIB, times=1))
    heard = run(big, tmp_path)
    assert_whole(tmp_path, heard)


def test_server_that_ignores_ranges_and_cuts_does_not_go_on_for_ever(hub, big, tmp_path):
    hub.faults.cdn.set(IgnoreRange(), Truncate(after_bytes=MIB))
    with pytest.raises(HubUnavailable):
        run(big, tmp_path)
    # One more for each answer of which a bit more came than of those before.
    assert 6 <= len(hub.counters.cdn.ranges) <= 9


def test_ranges_that_are_never_those_asked_for_are_not_asked_for_any_more(hub, big, tmp_path):
    hub.faults.cdn.set(WrongContentRange(shift_bytes=-1))
    heard = run(big, tmp_path)
    assert_whole(tmp_path, heard)
    assert hub.counters.cdn.statuses[200] == 1


def test_one_wrong_byte_is_fetched_again_once(hub, big, tmp_path):
    hub.faults.cdn.set(Corrupt(offset=17 * MIB, times=1))
    heard = run(big, tmp_path)
    assert_whole(tmp_path, heard)
    assert Counter(heard.steps)[-SIZE] == 1
    assert hub.counters.cdn.bytes_by_blob == {SHA256: 2 * SIZE}


def test_content_that_stays_wrong_is_never_put_in_place(hub, big, tmp_path):
    hub.faults.cdn.set(Corrupt(offset=17 * MIB))
    with pytest.raises(CorruptContent) as caught:
        run(big, tmp_path)
    assert caught.value.path == BIG
    assert caught.value.expected == SHA256
    assert not (tmp_path / BIG).exists()
    hub.faults.clear()
    assert_whole(tmp_path, run(big, tmp_path))


def test_disk_without_room_is_told_before_a_byte_is_fetched(hub, big, tmp_path):
    with files_limited_to(20 * MIB), pytest.raises(DiskFull) as caught:
        run(big, tmp_path)
    assert caught.value.path == BIG
    assert hub.counters.cdn.request_count == 0
    assert_whole(tmp_path, run(big, tmp_path))
