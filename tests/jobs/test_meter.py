"""Counting by any number of threads, read by one reporter: nothing is lost, nothing told twice."""

import threading
import time

from core.jobs.kinds import JobFileState
from jobs.meter import Meter

THREADS, ADDS = 8, 4000


def test_threads_lose_no_byte_and_no_file():
    meter = Meter()
    go_on, stop = threading.Barrier(THREADS + 1), threading.Event()
    seen: dict[str, int] = {}
    totals: list[int] = []

    def count(me: int) -> None:
        go_on.wait()
        for n in range(ADDS):
            meter.add(f"f{(me + n) % 5}", 3)

    def report() -> None:
        go_on.wait()
        while not stop.is_set():
            drain()

    def drain() -> None:
        reading = meter.drain()
        assert reading is not None
        totals.append(reading.bytes_done)
        for path, done, _state in reading.files:
            assert done >= seen.get(path, 0)
            seen[path] = done

    counters = [threading.Thread(target=count, args=(n,)) for n in range(THREADS)]
    reporter = threading.Thread(target=report)
    for thread in (*counters, reporter):
        thread.start()
    for thread in counters:
        thread.join()
    stop.set()
    reporter.join()
    drain()
    assert totals == sorted(totals)
    assert totals[-1] == sum(seen.values()) == THREADS * ADDS * 3


def test_drain_tells_each_change_once():
    meter = Meter()
    meter.stage("downloading")
    meter.add("a", 5)
    meter.mark("b", JobFileState.VERIFIED)
    first = meter.drain()
    assert first is not None
    assert (first.stage, first.bytes_done) == ("downloading", 5)
    assert first.files == (("a", 5, JobFileState.RUNNING), ("b", 0, JobFileState.VERIFIED))
    second = meter.drain()
    assert second is not None
    assert (second.bytes_done, second.files) == (5, ())


def test_what_could_not_be_written_is_told_again_with_the_newer_numbers():
    meter = Meter()
    meter.add("a", 5)
    first = meter.drain()
    assert first is not None
    meter.add("a", 2)
    meter.drain()
    meter.put_back(first.files)
    again = meter.drain()
    assert again is not None
    assert again.files == (("a", 7, JobFileState.RUNNING),)


def test_state_of_a_file_survives_more_bytes():
    meter = Meter()
    meter.mark("a", JobFileState.VERIFIED)
    meter.add("a", 1)
    reading = meter.drain()
    assert reading is not None
    assert reading.files == (("a", 1, JobFileState.VERIFIED),)


def test_bytes_taken_back_lower_the_count_but_not_below_nothing():
    meter = Meter()
    meter.add("a", 10)
    meter.add("a", -4)
    reading = meter.look()
    assert reading is not None
    assert reading.bytes_done == 6
    meter.add("a", -10)
    reading = meter.drain()
    assert reading is not None
    assert reading.bytes_done == 0


def test_look_is_silent_until_something_changes():
    meter = Meter()
    assert meter.look() is None
    meter.stage("x")
    assert meter.look() is not None
    assert meter.look() is None
    meter.add("a", 1)
    assert meter.look() is not None
    assert meter.look() is None


def test_rate_is_unknown_at_first_and_then_what_it_was():
    meter = Meter()
    began_s = time.monotonic()
    meter.add("a", 0)
    first = meter.drain()
    assert first is not None
    assert first.bytes_per_second is None
    sent = 0
    while time.monotonic() - began_s < 0.8:  # the measured window: a rate needs a time
        sent += 1000
        meter.add("a", 1000)
        time.sleep(0.005)
    reading = meter.drain()
    assert reading is not None
    assert reading.bytes_per_second is not None
    assert 0.7 < reading.bytes_per_second / (sent / (time.monotonic() - began_s)) < 1.3


def test_rate_never_falls_below_nothing():
    meter = Meter()
    meter.add("a", 1000)
    meter.drain()
    began_s = time.monotonic()
    while time.monotonic() - began_s < 0.6:
        time.sleep(0.01)
    meter.add("a", -1000)
    reading = meter.drain()
    assert reading is not None
    assert reading.bytes_per_second == 0.0
