"""What a killed transfer has is not fetched again; what a journal says is never just believed."""

import hashlib
import json
import threading
from pathlib import Path

import pytest

from infra.hub.errors import TransferStopped
from infra.hub.transfer.engine import transfer
from infra.hub.transfer.journal import FOLDER
from tests.fakes.hub import HubDouble
from tests.fakes.hub.faults import Rate
from tests.infra.hub.child import killed_at
from tests.infra.hub.repository import CONFIG, FILES, MIB, noise, plan_for, tiny
from tests.infra.hub.watching import Recorder, contents, in_thread, run

BIG, BIGGER = "big.safetensors", "bigger.safetensors"
CONTENTS = {
    BIG: noise(9 * MIB + 99, seed=31),
    BIGGER: noise(10 * MIB + 7, seed=32),
    CONFIG: FILES[CONFIG],
}
SHA256 = {path: hashlib.sha256(content).hexdigest() for path, content in CONTENTS.items()}
TOTAL = sum(map(len, CONTENTS.values()))
RATE = 16 * MIB
# Lost with a killed process: what came since the journal was written (a quarter second at RATE),
# what was received and not written (four buffers), and what was under way.
LOST = RATE // 4 + 4 * MIB + 2 * MIB


@pytest.fixture
def plan(hub):
    return plan_for(hub, *CONTENTS, revision=hub.add(tiny(files=CONTENTS)))


def journal_of(staging: Path) -> Path:
    return staging / FOLDER / "journal.json"


def fetched(hub: HubDouble) -> int:
    return hub.counters.cdn.body_bytes


def assert_all_there(staging: Path, heard: Recorder) -> None:
    assert contents(staging) == CONTENTS
    assert heard.verified == SHA256
    assert heard.total_bytes == TOTAL
    assert not (staging / FOLDER).exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_killed_transfer_goes_on_where_it_was(hub, plan, tmp_path, share):
    hub.faults.cdn.set(Rate(bytes_per_s=RATE))
    had = killed_at(plan, tmp_path, int(TOTAL * share))
    hub.faults.clear()
    hub.reset_counters()
    assert_all_there(tmp_path, run(plan, tmp_path))
    assert fetched(hub) <= TOTAL - had + LOST


def test_transfer_that_is_killed_again_and_again_gets_there(hub, plan, tmp_path):
    hub.faults.cdn.set(Rate(bytes_per_s=RATE))
    for share in (0.2, 0.4, 0.6, 0.8):
        killed_at(plan, tmp_path, int(TOTAL * share))
    hub.faults.clear()
    assert_all_there(tmp_path, run(plan, tmp_path))
    assert fetched(hub) <= TOTAL + 4 * LOST


@pytest.fixture
def stopped(hub, plan, tmp_path) -> int:
    """A transfer that was stopped half-way, and the bytes it had."""
    hub.faults.cdn.set(Rate(bytes_per_s=4 * RATE))
    heard, stop = Recorder(), threading.Event()
    with in_thread(plan, tmp_path, heard, stop) as running:
        heard.wait_until(lambda heard: heard.total_bytes >= TOTAL // 2)
        stop.set()
        with pytest.raises(TransferStopped):
            running.result(10)
    hub.faults.clear()
    hub.reset_counters()
    return heard.total_bytes


def test_stopped_transfer_loses_no_byte_and_no_hash(hub, plan, tmp_path, stopped):
    document = json.loads(journal_of(tmp_path).read_text())
    for path in (BIG, BIGGER):
        entry = document["files"][path]
        assert entry["in_place"] or entry["hashed"] > 0
    assert_all_there(tmp_path, run(plan, tmp_path))
    assert fetched(hub) == TOTAL - stopped


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{",
        b"\xff\xfe\0garbage",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"version": 1}',
        b'{"version": 1, "repo": "acme/tiny", "revision": 7, "boot": null, "files": []}',
    ],
    ids=["empty", "cut", "garbage", "list", "null", "deep", "lacking", "types"],
)
def test_broken_journal_is_ignored(hub, plan, tmp_path, stopped, spoilt):
    journal_of(tmp_path).write_bytes(spoilt)
    assert_all_there(tmp_path, run(plan, tmp_path))


def changed(**values):
    return lambda document: document.update(values)


def every_file(**values):
    def change(document):
        for entry in document["files"].values():
            entry.update(values)

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(version=2),
        changed(repo="acme/other"),
        changed(revision="0" * 40),
        changed(boot="another start of the machine"),
        changed(boot=""),
        changed(files={}),
        changed(files=7),
        every_file(id="0" * 64),
        every_file(size=5),
        every_file(inode=0),
        every_file(inode=None),
        every_file(written=[[0, 1 << 40]]),
        every_file(written=[[-5, 5]]),
        every_file(written=[[7, 3]]),
        every_file(written=[["a", "b"]]),
        every_file(written=7),
        every_file(hashed=1 << 70),
        every_file(hashed=12345),
        every_file(state="no base64!"),
        every_file(state=""),
        every_file(in_place=["0" * 64, 1]),
        every_file(in_place=[]),
    ],
)
def test_journal_that_says_otherwise_does_no_harm(plan, tmp_path, stopped, change):
    document = json.loads(journal_of(tmp_path).read_text())
    change(document)
    journal_of(tmp_path).write_text(json.dumps(document))
    assert_all_there(tmp_path, run(plan, tmp_path))


def test_journal_that_claims_what_is_not_there_is_found_out(plan, tmp_path, stopped):
    document = json.loads(journal_of(tmp_path).read_text())
    document["boot"] = "another start of the machine"
    for path, entry in document["files"].items():
        entry["written"] = [[0, len(CONTENTS[path])]]
    journal_of(tmp_path).write_text(json.dumps(document))
    heard = run(plan, tmp_path)
    assert_all_there(tmp_path, heard)


def test_part_that_was_replaced_is_not_taken_for_what_the_journal_knows(plan, tmp_path, stopped):
    for path in (BIG, BIGGER):
        part, other = tmp_path / f"{path}.part", tmp_path / "other"
        if part.exists():
            other.write_bytes(b"\0" * len(CONTENTS[path]))
            other.replace(part)
    assert_all_there(tmp_path, run(plan, tmp_path))


def test_parts_without_their_journal_are_no_harm(plan, tmp_path, stopped):
    journal_of(tmp_path).unlink()
    assert_all_there(tmp_path, run(plan, tmp_path))


def test_staging_that_belongs_to_another_process_by_now_is_left_alone(hub, plan, tmp_path):
    hub.faults.cdn.set(Rate(bytes_per_s=RATE))
    heard, lost = Recorder(), threading.Event()

    def owned() -> bool:
        return not lost.is_set()

    def journal_when_lost() -> None:
        heard.wait_until(lambda heard: heard.total_bytes >= TOTAL // 2)
        lost.set()

    watching = threading.Thread(target=journal_when_lost)
    watching.start()
    with pytest.raises(TransferStopped):
        transfer(plan, tmp_path, heard, lost, owned=owned)
    watching.join()
    before = journal_of(tmp_path).read_bytes()
    assert json.loads(before)["revision"] == plan.revision
    hub.faults.clear()
    assert_all_there(tmp_path, run(plan, tmp_path))
