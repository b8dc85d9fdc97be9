"""A limit on bytes a second that any number of transfers share."""

import threading
import time
from collections.abc import Callable

# How much may come at once after a pause, in seconds of the rate: less makes the rate ragged.
_BURST_S = 0.25
_PIECE_S = 0.1
_PIECE_BYTES = (1 << 12, 1 << 20)


class Throttle:
    """A token bucket. Fair in that whoever takes waits for those who took before.

    `bytes_per_s`: None: no limit.
    """

    def __init__(self, bytes_per_s: float | None) -> None:
        self._lock = threading.Lock()
        self._bytes_per_s = bytes_per_s
        self._free_at_s = time.monotonic()

    @property
    def piece_bytes(self) -> int:
        """How much to take at a time, so that the bytes come evenly."""
        with self._lock:
            least, most = _PIECE_BYTES
            rate = self._bytes_per_s
            return most if rate is None else min(most, max(least, int(rate * _PIECE_S)))

    def limit(self, bytes_per_s: float | None) -> None:
        """Holds from the next `take` on."""
        with self._lock:
            self._bytes_per_s = bytes_per_s
            self._free_at_s = time.monotonic()

    def take(self, size_bytes: int, wait: Callable[[float], None]) -> None:
        """Pays for bytes that have come. Blocks in `wait`, which is given seconds and may raise."""
        with self._lock:
            if self._bytes_per_s is None:
                return
            now_s = time.monotonic()
            self._free_at_s = max(self._free_at_s, now_s - _BURST_S)
            self._free_at_s += size_bytes / self._bytes_per_s
            delay_s = self._free_at_s - now_s
        if delay_s > 0:
            wait(delay_s)
