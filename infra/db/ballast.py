"""Room kept for the day the disk of the database is full.

SQLite can write nothing on a full disk, not even that a job has failed for want of room. A file
beside it holds some room, which is given up piece by piece for such writes, and taken again when
there is plenty. All processes share it; its size is the whole state.
"""

import os
from pathlib import Path

# 256 pages of the write-ahead log: the end of a job with its log takes a few. Not all at once, for
# whoever filled the disk takes what is left over.
PIECE_BYTES = 1 << 20


class Ballast:
    """Touches the disk: belongs in a thread."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def take(self) -> bool:
        """Takes what is missing, where as much as the whole stays free; whether all is there.

        Raises OSError.
        """
        missing = self._size_bytes - self._held_bytes()
        if missing <= 0:
            return True
        stat = os.statvfs(self._path.parent)
        if stat.f_bavail * stat.f_frsize < missing + self._size_bytes:
            return False
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _allocate(descriptor, self._size_bytes)
        finally:
            os.close(descriptor)
        return True

    def give_up(self) -> bool:
        """Gives up a piece; False: nothing is left."""
        held = self._held_bytes()
        if held == 0:
            return False
        try:
            with self._path.open("r+b") as file:
                file.truncate(max(0, held - PIECE_BYTES))
                os.fsync(file.fileno())  # ext4 hands blocks out again after its journal's commit
        except OSError:
            return False
        return True

    def _held_bytes(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0


def _allocate(descriptor: int, size_bytes: int) -> None:
    """Blocks, not a hole."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)
        return
    os.lseek(descriptor, 0, os.SEEK_SET)  # macOS
    piece = bytes(PIECE_BYTES)
    for _ in range(0, size_bytes, PIECE_BYTES):
        os.write(descriptor, piece)
    os.ftruncate(descriptor, size_bytes)
    os.fsync(descriptor)
