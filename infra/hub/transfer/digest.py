"""The hash that a file's content is held against, fed in order while the bytes arrive in any."""

import hashlib
import threading
from collections.abc import Callable

from infra.hub.snapshot import HubFile
from infra.hub.transfer import sha256

# Read back in pieces that the hash still finds in the cache of the processor.
_PIECE_BYTES = 1 << 18

Read = Callable[[int, memoryview], int]


class Mismatch(Exception):
    """Other content than listed; both sides as digests in hex, or as `N bytes`."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, got {actual}")
        self.expected = expected
        self.actual = actual


class Digest:
    """sha256 for every file, as the manifest wants it; git's hash too where the hub has no other.

    Git hashes `blob <size>\\0` and the content with SHA-1 (gitformat-pack, "object name").
    Thread-safe. `position_bytes`: how far from zero it has hashed; it never goes back.
    """

    def __init__(self, file: HubFile, *, position_bytes: int = 0, state: bytes = b"") -> None:
        self._expected = file.sha256 or file.blob_id
        self._lock = threading.Lock()
        self._catching_up = threading.Lock()
        self._git = None
        self._state = 0, b""
        self.position_bytes = 0
        if file.sha256 is None:
            self._git = hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)
            self._sha256 = sha256.sha256()
            return
        known = sha256.restored(state, position_bytes=position_bytes) if state else None
        if known is not None:
            self.position_bytes = position_bytes
            self._state = position_bytes, state
        self._sha256 = known or sha256.sha256()

    def follow(self, offset: int, data: memoryview) -> None:
        """Takes bytes that are on the disk, if they begin where it stands; else later, `catch_up`.

        So whoever fetches the front of a file hashes it while it is in the cache of the processor.
        """
        if offset != self.position_bytes:
            return
        with self._lock:
            if offset == self.position_bytes:
                self._feed(data)

    def catch_up(self, read: Read, *, prefix_bytes: Callable[[], int], buffer: memoryview) -> None:
        """Reads back what was written beyond where it stands. Returns early if another does."""
        while self.position_bytes < prefix_bytes():
            if not self._catching_up.acquire(blocking=False):
                return
            try:
                while self._read_on(read, prefix_bytes, buffer):
                    pass
            finally:
                self._catching_up.release()

    def _read_on(self, read: Read, prefix_bytes: Callable[[], int], buffer: memoryview) -> bool:
        with self._lock:  # `follow` may have gone on meanwhile
            left_bytes = min(_PIECE_BYTES, prefix_bytes() - self.position_bytes)
            if left_bytes <= 0:
                return False
            count = read(self.position_bytes, buffer[:left_bytes])
            if count == 0:
                raise OSError("the file on the disk is shorter than what was written to it")
            self._feed(buffer[:count])
            return True

    def _feed(self, data: memoryview) -> None:
        self._sha256.update(data)
        if self._git:
            self._git.update(data)
        self.position_bytes += len(data)
        if not self._git and (state := self._sha256.state()):
            self._state = self.position_bytes, state

    def state(self) -> tuple[int, bytes]:
        """Where it stands, and what the constructor takes to go on there; (0, b""): it cannot.

        Never waits for the hash: the journal would come late while much is read back.
        """
        return self._state

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def check(self) -> None:
        """Raises Mismatch unless this is the content that the hub listed."""
        actual = (self._git or self._sha256).hexdigest()
        if actual != self._expected:
            raise Mismatch(self._expected, actual)
