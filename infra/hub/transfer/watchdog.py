"""Gives up a connection that is not silent but all too slow: another may be better."""

import time

from infra.hub.transfer.connection import Interrupted


class Watchdog:
    """For one answer. Raises Interrupted where a window brought less than `bytes_per_s`."""

    def __init__(self, *, bytes_per_s: float, window_s: float) -> None:
        self._least_bytes = bytes_per_s * window_s
        self._window_s = window_s
        self.restart()

    def restart(self) -> None:
        """The time until now does not count: it was us who waited."""
        self._began_s = time.monotonic()
        self._bytes = 0

    def note(self, count: int) -> None:
        self._bytes += count
        if time.monotonic() - self._began_s < self._window_s:
            return
        if self._bytes < self._least_bytes:
            raise Interrupted("the server is too slow")
        self.restart()
