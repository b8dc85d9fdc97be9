"""A stop is obeyed at once, whatever the threads wait for, and costs no byte."""

import hashlib
import socket
import threading
import time

import pytest

from infra.hub.errors import TransferStopped
from tests.fakes.hub.counters import ServedRange
from tests.fakes.hub.faults import Corrupt, Rate, Stall, Status
from tests.infra.hub.repository import FILES, MIB, WEIGHTS, plan_for
from tests.infra.hub.watching import Recorder, contents, in_thread, run, transfer_threads

CONTENT = FILES[WEIGHTS]
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def stopped_when(condition, plan, staging) -> tuple[Recorder, float]:
    """What was heard until the stop, and how long it took to be obeyed."""
    heard, stop = Recorder(), threading.Event()
    with in_thread(plan, staging, heard, stop) as transfer:
        heard.wait_until(condition)
        begun = time.monotonic()
        stop.set()
        with pytest.raises(TransferStopped):
            transfer.result(10)
        took_s = time.monotonic() - begun
    assert transfer_threads() == []
    return heard, took_s


def assert_rest_is_fetched(hub, plan, staging) -> None:
    kept = len((staging / f"{WEIGHTS}.part").read_bytes())
    hub.faults.clear()
    hub.reset_counters()
    heard = run(plan, staging)
    assert contents(staging) == {WEIGHTS: CONTENT}
    assert heard.total_bytes == len(CONTENT)
    assert hub.counters.cdn.ranges == (ServedRange(SHA256, kept, len(CONTENT)),)
    assert hub.counters.cdn.bytes_by_blob == {SHA256: len(CONTENT) - kept}


def test_stopped_transfer_keeps_what_it_has_and_the_next_fetches_the_rest(hub, commit, tmp_path):
    plan = plan_for(hub, WEIGHTS, revision=commit)
    hub.faults.cdn.set(Rate(bytes_per_s=2 * MIB))
    heard, took_s = stopped_when(lambda heard: heard.total_bytes >= MIB, plan, tmp_path)
    assert took_s <= 0.5
    assert contents(tmp_path) == {f"{WEIGHTS}.part": CONTENT[: heard.total_bytes]}
    assert_rest_is_fetched(hub, plan, tmp_path)


def test_stalled_transfer_stops_just_as_soon(hub, commit, tmp_path):
    plan = plan_for(hub, WEIGHTS, revision=commit, timeout_s=60)
    hub.faults.cdn.set(Stall(after_bytes=MIB))
    _, took_s = stopped_when(lambda heard: heard.total_bytes == MIB, plan, tmp_path)
    assert took_s <= 0.5
    assert contents(tmp_path) == {f"{WEIGHTS}.part": CONTENT[:MIB]}
    assert_rest_is_fetched(hub, plan, tmp_path)


def test_pause_before_a_retry_is_cut_short(hub, commit, tmp_path):
    hub.faults.cdn.set(Status(status=503, retry_after_s=60))
    plan = plan_for(hub, WEIGHTS, revision=commit)
    _, took_s = stopped_when(lambda heard: heard.retries, plan, tmp_path)
    assert took_s <= 0.5


def test_all_files_stop_together(hub, commit, tmp_path):
    hub.faults.cdn.set(Stall(after_bytes=MIB // 2))
    plan = plan_for(hub, *FILES, revision=commit, timeout_s=60)
    _, took_s = stopped_when(lambda heard: heard.total_bytes >= MIB, plan, tmp_path)
    assert took_s <= 0.5


def test_connecting_is_cut_short(hub, commit, tmp_path):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(2)]
        for client in waiting:  # they fill the queue, so that the next connect hangs
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        endpoint = f"http://127.0.0.1:{full.getsockname()[1]}"
        plan = plan_for(hub, WEIGHTS, revision=commit, endpoint=endpoint, timeout_s=60)
        _, took_s = stopped_when(lambda heard: heard.started, plan, tmp_path)
        for client in waiting:
            client.close()
    assert took_s <= 0.5


def test_transfer_that_is_stopped_beforehand_fetches_nothing_more(hub, commit, tmp_path):
    hub.faults.hub.set(Stall(after_bytes=0), Status(status=503, retry_after_s=60))
    stop = threading.Event()
    stop.set()
    with (
        in_thread(plan_for(hub, *FILES, revision=commit), tmp_path, Recorder(), stop) as transfer,
        pytest.raises(TransferStopped),
    ):
        transfer.result(10)
    assert set(contents(tmp_path)) <= {f"{path}.part" for path in FILES} | {"empty.txt"}


class SeenByThreads:
    """A stop that whoever pulls the brake never sees: as in a process that stood still, whose
    threads wake up before that one does.
    """

    def __init__(self) -> None:
        self._told = threading.Event()

    def set(self) -> None:
        self._told.set()

    def is_set(self) -> bool:
        return self._told.is_set() and threading.current_thread().name.startswith("hub-transfer")


def test_thread_that_sees_the_stop_writes_nothing_more(hub, commit, tmp_path):
    """What it wrote would go into a file that another process may work on by then."""
    plan = plan_for(hub, WEIGHTS, revision=commit, timeout_s=60)
    hub.faults.cdn.set(Stall(after_bytes=MIB))
    heard, stop = Recorder(), SeenByThreads()
    with in_thread(plan, tmp_path, heard, stop) as transfer:
        heard.wait_until(lambda heard: heard.total_bytes == MIB)
        stop.set()
        hub.faults.clear()  # the rest arrives now
        with pytest.raises(TransferStopped):
            transfer.result(10)
    assert contents(tmp_path) == {f"{WEIGHTS}.part": CONTENT[:MIB]}


def test_thread_that_sees_the_stop_does_not_start_a_part_over(hub, commit, tmp_path):
    plan = plan_for(hub, WEIGHTS, revision=commit, timeout_s=60)
    hub.faults.cdn.set(Corrupt(offset=7), Stall(after_bytes=4 * MIB))
    heard, stop = Recorder(), SeenByThreads()
    with in_thread(plan, tmp_path, heard, stop) as transfer:
        heard.wait_until(lambda heard: heard.total_bytes == 4 * MIB)
        stop.set()
        hub.faults.clear()
        with pytest.raises(TransferStopped):
            transfer.result(10)
    assert len((tmp_path / f"{WEIGHTS}.part").read_bytes()) == 4 * MIB
