"""Connections and segments follow what the last seconds brought; all keep a limit together."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.hub.errors import TransferStopped
from infra.hub.transfer.pace import MIN_SEGMENT_BYTES, Pace, segment_bytes
from infra.hub.transfer.throttle import Throttle
from tests.fakes.hub.faults import Rate, Status
from tests.infra.hub.repository import FILES, MIB, WEIGHTS, noise, plan_for, tiny
from tests.infra.hub.watching import Recorder, contents, in_thread, run

BIG = "big.safetensors"


def judged(pace: Pace, *rates: float) -> list[int]:
    counts = []
    for rate in rates:
        pace.judge(rate)
        counts.append(pace.connections)
    return counts


def test_connections_double_as_long_as_that_brings_a_tenth_more():
    pace = Pace(start=4, most=32)
    # The windows in which connections start do not count; the last doubling is taken back.
    assert judged(pace, 1, 100, 1, 150, 1, 200, 1, 205) == [4, 8, 8, 16, 16, 32, 32, 16]


def test_what_was_not_worth_it_is_tried_again_later():
    pace = Pace(start=4, most=32)
    assert judged(pace, 1, 100, 1, 101) == [4, 8, 8, 4]
    assert judged(pace, *[100] * 40) == [4] * 40
    assert judged(pace, 100, 1, 200) == [8, 8, 16]


def test_busy_server_gets_half_of_them_once_and_is_left_alone_for_a_while():
    pace = Pace(start=8, most=32)
    for _ in range(5):
        pace.busy()
    assert pace.connections == 4
    assert judged(pace, *[100] * 60) == [4] * 60
    assert judged(pace, 100) == [8]


@given(st.integers(1, 64), st.integers(1, 64), st.lists(st.floats(0, 1e9), max_size=80))
def test_connections_stay_within_their_bounds(start, most, rates):
    pace = Pace(start=start, most=most)
    assert all(1 <= count <= most for count in [pace.connections, *judged(pace, *rates)])


@pytest.mark.parametrize(
    ("rate", "alone", "expected_mib"),
    [(None, True, 8), (1e5, True, 2), (2.5e6, True, 5), (1e9, True, 32), (1e9, False, 8)],
)
def test_segment_is_small_on_a_slow_line_and_large_on_a_fast_one(rate, alone, expected_mib):
    size = segment_bytes(rate, left_bytes=1 << 40, sharers=4, alone=alone)
    assert round(size / MIB) == expected_mib


def test_what_is_left_near_the_end_is_shared_out():
    assert segment_bytes(1e9, left_bytes=40 * MIB, sharers=4, alone=True) == 10 * MIB
    assert segment_bytes(1e9, left_bytes=MIB, sharers=4, alone=True) == MIN_SEGMENT_BYTES


def test_connections_are_added_where_each_has_its_own_limit(hub, tmp_path):
    commit = hub.add(tiny(files={BIG: noise(22 * MIB, seed=41)}))
    hub.faults.cdn.set(Rate(bytes_per_s=2 * MIB, per_connection=True))
    run(plan_for(hub, BIG, revision=commit, max_connections=12), tmp_path)
    assert 4 < hub.counters.cdn.connections <= 12


def test_connections_are_fewer_after_too_many_requests(hub, tmp_path):
    commit = hub.add(tiny(files={BIG: noise(16 * MIB, seed=42)}))
    hub.faults.cdn.set(Status(status=429, times=1, retry_after_s=1))
    heard = run(plan_for(hub, BIG, revision=commit), tmp_path)
    assert [retry.reason for retry in heard.retries] == ["answered 429"]
    assert hub.counters.cdn.connections <= 2


def test_limit_holds_for_all_transfers_that_share_it(hub, commit, tmp_path):
    throttle = Throttle(8 * MIB)
    plan = plan_for(hub, *FILES, revision=commit, throttle=throttle)
    other = plan_for(hub, *FILES, revision=commit, throttle=throttle)
    began = time.monotonic()
    with in_thread(plan, tmp_path / "a", Recorder(), threading.Event()) as running:
        run(other, tmp_path / "b")
        running.result(10)
    took_s = time.monotonic() - began
    both_bytes = 2 * sum(map(len, FILES.values()))
    # A quarter second may come at once.
    assert took_s >= both_bytes / (8 * MIB) - 0.25
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == FILES


def test_wait_for_the_limit_is_cut_short_by_a_stop(hub, commit, tmp_path):
    throttle = Throttle(1000)
    plan = plan_for(hub, WEIGHTS, revision=commit, throttle=throttle)
    heard, stop = Recorder(), threading.Event()
    with in_thread(plan, tmp_path, heard, stop) as running:
        heard.wait_until(lambda heard: heard.total_bytes > 0)
        began = time.monotonic()
        stop.set()
        with pytest.raises(TransferStopped):
            running.result(10)
        assert time.monotonic() - began <= 0.5


def test_limit_that_is_lifted_holds_no_more():
    waits: list[float] = []
    throttle = Throttle(1000)
    throttle.take(2000, waits.append)
    throttle.limit(None)
    throttle.take(1 << 40, waits.append)
    assert len(waits) == 1
    assert waits[0] == pytest.approx(2.0, abs=0.05)
