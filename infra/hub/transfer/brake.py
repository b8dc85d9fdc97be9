"""One switch that stops every thread of a transfer at once, also those that wait for a peer."""

import contextlib
import socket
import threading

from infra.hub.errors import TransferStopped
from infra.hub.transfer.plan import Stop


class Brake:
    """Pulled once and for ever. Shuts down the sockets it was told of: a blocked recv returns.

    `stop` is asked at each check besides: a process that stood still for a while must not write
    until somebody gets to pulling.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._pulled = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    @property
    def pulled(self) -> bool:
        return self._pulled.is_set() or self._stop.is_set()

    def pull(self) -> None:
        with self._lock:
            self._pulled.set()
            for sock in self._sockets:
                with contextlib.suppress(OSError):  # not connected yet, or no longer
                    # Not SSLSocket.shutdown: it drops the TLS state under the reading thread.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def hold(self, sock: socket.socket) -> None:
        """Raises TransferStopped if it comes too late."""
        with self._lock:
            self.check()
            self._sockets.add(sock)

    def release(self, sock: socket.socket) -> None:
        """Before the socket is closed: its number may soon be that of another."""
        with self._lock:
            self._sockets.discard(sock)

    def check(self) -> None:
        """Raises TransferStopped once pulled or stopped."""
        if self.pulled:
            raise TransferStopped("the transfer was stopped")

    def wait(self, delay_s: float) -> None:
        """Sleeps; raises TransferStopped as soon as pulled."""
        self._pulled.wait(delay_s)
        self.check()
