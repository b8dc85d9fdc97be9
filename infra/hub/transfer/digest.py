"""The hash that a file's content is held against, fed as the bytes arrive."""

import hashlib

from infra.hub.snapshot import HubFile


class Digest:
    """sha256 for every file, as the manifest wants it; git's hash too where the hub has no other.

    Git hashes `blob <size>\\0` and the content with SHA-1 (gitformat-pack, "object name").
    """

    def __init__(self, file: HubFile) -> None:
        self._expected = file.sha256 or file.blob_id
        self._sha256 = hashlib.sha256()
        self._git = None
        if file.sha256 is None:
            self._git = hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)

    def update(self, data: memoryview) -> None:
        self._sha256.update(data)
        if self._git:
            self._git.update(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def check(self) -> None:
        """Raises Mismatch unless this is the content that the hub listed."""
        actual = (self._git or self._sha256).hexdigest()
        if actual != self._expected:
            raise Mismatch(self._expected, actual)


class Mismatch(Exception):
    """Other content than listed; both sides as digests in hex, or as `N bytes`."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, got {actual}")
        self.expected = expected
        self.actual = actual
