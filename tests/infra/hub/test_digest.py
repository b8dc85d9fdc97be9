"""A hash is written down in the middle and goes on elsewhere, or is not believed."""

import hashlib

import pytest

from infra.hub.snapshot import HubFile
from infra.hub.transfer import sha256
from infra.hub.transfer.digest import Digest, Mismatch
from tests.infra.hub.repository import MIB, noise

CONTENT = noise(MIB + 77, seed=21)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LARGE = HubFile("m.bin", len(CONTENT), SHA256, "b" * 40)
GIT_ID = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
KEPT_IN_GIT = HubFile("m.txt", len(CONTENT), None, GIT_ID)
CUTS = [0, 1, 63, 64, 65, 119, 120, 4096, MIB, len(CONTENT)]


def view(start: int, end: int | None = None) -> memoryview:
    return memoryview(bytearray(CONTENT[start:end]))


@pytest.mark.parametrize("cut", CUTS)
def test_hash_goes_on_from_what_was_written_down(cut):
    first = Digest(LARGE)
    first.follow(0, view(0, cut))
    position, state = first.state()
    assert position == cut
    second = Digest(LARGE, position_bytes=position, state=state)
    assert second.position_bytes == cut
    second.follow(cut, view(cut))
    second.check()
    assert second.sha256 == SHA256
    # The first one is none the worse for it.
    first.follow(cut, view(cut))
    first.check()


@pytest.mark.parametrize(
    ("state", "position"),
    [
        (b"", 64),
        (b"\0" * 112, 64),
        (b"\xff" * 112, 64),
        (b"short", 64),
        (None, 63),
        (None, 65),
        (None, 64 + (1 << 61)),
    ],
)
def test_state_that_is_not_of_that_position_is_not_believed(state, position):
    known = Digest(LARGE)
    known.follow(0, view(0, 64))
    digest = Digest(
        LARGE, position_bytes=position, state=known.state()[1] if state is None else state
    )
    assert digest.position_bytes == 0
    digest.follow(0, view(0))
    digest.check()


def test_state_of_openssl_gives_the_digests_of_hashlib():
    """Where this fails, resumes read again what they have; the tests should know."""
    digest = sha256.sha256()
    assert digest.state() is not None
    for start in range(0, len(CONTENT), 100_003):
        digest.update(view(start, start + 100_003))
        expected = hashlib.sha256(CONTENT[: start + 100_003]).hexdigest()
        assert digest.hexdigest() == expected


def test_bytes_are_hashed_in_order_and_the_rest_is_read_back():
    digest = Digest(LARGE)
    digest.follow(100, view(100, 200))
    assert digest.position_bytes == 0
    digest.follow(0, view(0, 100))
    digest.follow(0, view(0, 100))
    assert digest.position_bytes == 100

    def read(offset: int, buffer: memoryview) -> int:
        piece = CONTENT[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    buffer = memoryview(bytearray(1000))
    digest.catch_up(read, prefix_bytes=lambda: 12_345, buffer=buffer)
    assert digest.position_bytes == 12_345
    digest.catch_up(read, prefix_bytes=lambda: len(CONTENT), buffer=buffer)
    digest.check()


def test_file_kept_in_git_is_held_against_its_git_hash_and_has_no_state():
    digest = Digest(KEPT_IN_GIT)
    digest.follow(0, view(0))
    digest.check()
    assert digest.sha256 == SHA256
    assert digest.state() == (0, b"")


def test_other_content_is_told_with_both_hashes():
    digest = Digest(LARGE)
    digest.follow(0, view(1))
    with pytest.raises(Mismatch) as caught:
        digest.check()
    assert caught.value.expected == SHA256
    assert caught.value.actual == hashlib.sha256(CONTENT[1:]).hexdigest()
