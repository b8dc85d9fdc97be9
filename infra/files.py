"""Atomic file-system steps that the standard library has no name for."""

import ctypes
import errno
import os
import sys
from pathlib import Path

# https://man7.org/linux/man-pages/man2/write.2.html: the volume, or the quota on it.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCHANGE = 2


def rename_no_replace(source: Path, target: Path) -> None:
    """Renames, and raises FileExistsError instead of replacing.

    renameat2(2) where kernel and file system have it; elsewhere a look and a rename, whose race the
    caller's lock on the target closes.
    """
    if _renameat2(source, target, _RENAME_NOREPLACE):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def is_full(error: OSError) -> bool:
    """Whether there was no room on the volume."""
    return error.errno in _FULL


def exchange(source: Path, target: Path) -> None:
    """Swaps two folders: readers of `target` see the old one or the new one, never none.

    Where the kernel cannot swap, there is a moment between two renames in which `target` is
    missing.
    """
    if _renameat2(source, target, _RENAME_EXCHANGE):
        return
    aside = source.with_name(source.name + ".old")
    target.rename(aside)
    source.rename(target)
    aside.rename(source)


def fsync_folder(folder: Path) -> None:
    """Makes the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _renameat2(source: Path, target: Path, flags: int) -> bool:
    """False where this system or file system does not know the call; raises OSError otherwise."""
    if sys.platform != "linux":
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # glibc 2.28
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))
