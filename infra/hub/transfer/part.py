"""One file on the disk: under a name of its own while it grows, in place once it is verified."""

import contextlib
import ctypes
import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | _NO_FOLLOW
_SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h
_NOT_HERE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Part:
    """An open part, for several threads at once. Every method raises OSError.

    A file that is in place already becomes a part again, so that it is hashed before it counts;
    `was_in_place` tells.
    """

    def __init__(self, part: Path, target: Path) -> None:
        self._part = part
        self._target = target
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self.was_in_place = False
        with contextlib.suppress(FileNotFoundError):
            self._target.replace(self._part)
            self.was_in_place = True
        self._fd = os.open(self._part, _FLAGS, 0o644)
        self.inode = os.fstat(self._fd).st_ino

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._fd).st_size

    def reserve(self, size_bytes: int) -> None:
        """Takes the room on the volume, so that it is not missing half-way; or only the length.

        fallocate(2) and not posix_fallocate(3), which writes to every block where it is missing.
        """
        fallocate = _linux("fallocate64")
        if fallocate is None or fallocate(self._fd, 0, _offset(0), _offset(size_bytes)) == 0:
            os.ftruncate(self._fd, size_bytes)
            return
        code = ctypes.get_errno()
        if code not in _NOT_HERE:
            raise OSError(code, os.strerror(code), str(self._part))
        os.ftruncate(self._fd, size_bytes)

    def write_at(self, offset: int, data: memoryview) -> None:
        while data:
            count = os.pwrite(self._fd, data, offset)
            data, offset = data[count:], offset + count

    def read_at(self, offset: int, view: memoryview) -> int:
        """0: the file ends there."""
        return os.preadv(self._fd, [view], offset)

    def write_back(self, start: int, end: int) -> None:
        """Has the system begin to write that to the disk, so that the sync at the end, which no
        stop can interrupt, has little left to do.
        """
        sync_file_range = _linux("sync_file_range")
        if sync_file_range is not None:
            length = _offset(end - start)
            sync_file_range(self._fd, _offset(start), length, _SYNC_FILE_RANGE_WRITE)

    def empty(self) -> None:
        os.ftruncate(self._fd, 0)

    def abandon(self) -> None:
        """Frees its room and its name; writes that come late go nowhere. Still to be closed."""
        os.ftruncate(self._fd, 0)
        self._part.unlink(missing_ok=True)

    def publish(self) -> None:
        """Only when verified. The folder's entry is synced by who publishes the folder."""
        os.fsync(self._fd)
        self._part.replace(self._target)

    def close(self) -> None:
        os.close(self._fd)


@cache
def _linux(name: str) -> Any:
    """A call of the C library; None: not on this system."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), name, None)


def _offset(offset: int) -> ctypes.c_int64:
    """off64_t, which ctypes would pass as an int."""
    return ctypes.c_int64(offset)
