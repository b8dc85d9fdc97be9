"""One file on the disk: under a name of its own while it grows, in place once it is verified.

The bytes of a part are the first of the file, without holes: so its length says where to go on.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.hub.snapshot import HubFile
from infra.hub.transfer.digest import Digest

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class Part:
    """Use as a context; the part stays on the disk if it was not published. Raises OSError.

    A file that is in place already becomes a part again, so that it is hashed before it counts.
    """

    def __init__(self, file: HubFile, *, part: Path, target: Path) -> None:
        self._file = file
        self._part = part
        self._target = target
        self.digest = Digest(file)
        self.position_bytes = 0

    def __enter__(self) -> Self:
        self._part.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self._target.replace(self._part)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | _NO_FOLLOW
        self._fd = os.open(self._part, flags, 0o644)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def read_back(self, buffer: memoryview, told: Callable[[int], None]) -> None:
        """Hashes what an earlier attempt left and goes to its end; `told` hears of each piece."""
        if os.fstat(self._fd).st_size > self._file.size_bytes:
            self.restart()
        while count := os.readv(self._fd, [buffer]):
            self.digest.update(buffer[:count])
            self.position_bytes += count
            told(count)

    def append(self, data: memoryview) -> None:
        self.digest.update(data)
        self.position_bytes += len(data)
        while data:
            data = data[os.write(self._fd, data) :]

    def restart(self) -> None:
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self.digest = Digest(self._file)
        self.position_bytes = 0

    def publish(self) -> None:
        """Only after `digest.check()`. The folder's entry is synced by who publishes the folder."""
        os.fsync(self._fd)
        self._part.replace(self._target)
