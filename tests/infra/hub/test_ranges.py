"""A large file is fetched in ranges, by several connections; faults cost only what they hit."""

import hashlib
from collections import Counter

import pytest

from infra.hub.errors import CorruptContent, DiskFull, HubUnavailable
from infra.hub.transfer.pace import MIN_SEGMENT_BYTES
from tests.fakes.hub.faults import (
    Corrupt,
    ExpireUrls,
    IgnoreRange,
    Stall,
    Status,
    Truncate,
    WrongContentLength,
    WrongContentRange,
)
from tests.infra.hub.repository import CONFIG, FILES, MIB, noise, plan_for, tiny
from tests.infra.hub.test_transfer_faults import files_limited_to
from tests.infra.hub.watching import contents, run

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
    wasted = hub.counters.cdn.bytes_by_blob[SHA256] - SIZE
    # Only of an answer that is not what was asked for is anything thrown away.
    assert wasted <= (SLACK_BYTES if isinstance(fault, WrongContentRange) else 0)


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
    assert hub.counters.cdn.bytes_by_blob == {SHA256: SIZE}


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
    assert len(hub.counters.cdn.ranges) == 6


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
