"""A connected socket as a stream of bytes, plain or with TLS.

Reads block in short ticks, so that bytes are handed on soon however slowly they come, and silence
is measured. TLS goes through memory: an SSLSocket asks the system twice for each 16 KB.
"""

import math
import socket
import ssl
import struct
from typing import Any, Protocol

_TICK_S = 0.2
_RAW_BYTES = 1 << 19
# RFC 8446, section 5.2: a header of 5 bytes, and at most 2^14 + 256 of TLSCiphertext; 2048 in 1.2.
_MAX_RECORD_BYTES = 5 + (1 << 14) + 2048
_MAX_LINE_BYTES = 1 << 16
_HEAD_BYTES = 1 << 14


class Wire(Protocol):
    """`recv_into` blocks for a byte at least; 0: the end. `whole`: as many as `view` takes will
    come, so that it may wait for more, but not longer than a fifth of a second.

    Raises TimeoutError after the silence it was made for, else OSError.
    """

    def recv_into(self, view: memoryview, *, whole: bool) -> int: ...

    def sendall(self, data: bytes) -> None: ...


class Plain:
    """A socket in blocking mode: MSG_WAITALL has one system call fill the buffer."""

    def __init__(self, sock: socket.socket, *, timeout_s: float) -> None:
        tick_s = min(_TICK_S, timeout_s)
        self._ticks = math.ceil(timeout_s / tick_s)
        self._socket = sock
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(tick_s))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(timeout_s))

    def recv_into(self, view: memoryview, *, whole: bool) -> int:
        flags = socket.MSG_WAITALL if whole else 0
        for _ in range(self._ticks):
            try:
                return self._socket.recv_into(view, 0, flags)
            except BlockingIOError:
                continue
        raise TimeoutError

    def sendall(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except BlockingIOError as e:
            raise TimeoutError from e


class Tls:
    """TLS over another wire, verified against `context` for `host`. Raises ssl.SSLError."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, host: str) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        # With a buffer it answers a count; the type stubs know only the other form.
        self._read: Any = self._tls.read
        self._raw = memoryview(bytearray(_RAW_BYTES))
        self._shake_hands()

    def recv_into(self, view: memoryview, *, whole: bool) -> int:
        filled = 0
        while filled < len(view):
            try:
                count = self._read(len(view) - filled, view[filled:])
            except ssl.SSLWantReadError:
                if filled:
                    break
                self._flush()
                self._feed(len(view) if whole else 1)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                break
            else:
                if count == 0:
                    break
                filled += count
        return filled

    def sendall(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed(1)
            else:
                self._flush()
                return

    def _feed(self, wanted_bytes: int) -> None:
        """At least `wanted_bytes` are still to be read from it. Encryption makes nothing shorter:
        they are on their way, but for what OpenSSL holds of a record that is not complete.
        """
        missing = wanted_bytes - self._incoming.pending - _MAX_RECORD_BYTES
        whole = missing > 0
        count = self._wire.recv_into(self._raw[:missing] if whole else self._raw, whole=whole)
        if count:
            self._incoming.write(self._raw[:count])
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._wire.sendall(self._outgoing.read())


class Reader:
    """What http.client reads a response from, in the place of a buffered file.

    Holds what came with the head; the rest of a body goes straight into the buffer of its reader.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._held = memoryview(bytearray(_HEAD_BYTES))
        self._start = self._end = 0

    def readinto1(self, view: memoryview) -> int:
        """At most one read, of a body that has `len(view)` bytes more at least. 0: the end."""
        return self._take(view) or self._wire.recv_into(view, whole=True)

    def readinto(self, view: memoryview) -> int:
        """Until `view` is full or the stream ends."""
        filled = 0
        while filled < len(view):
            rest = view[filled:]
            count = self._take(rest) or self._wire.recv_into(rest, whole=False)
            if count == 0:
                break
            filled += count
        return filled

    def read(self, size: int) -> bytes:
        data = bytearray(size)
        count = self.readinto(memoryview(data))
        return bytes(data[:count])

    def readline(self, limit: int = _MAX_LINE_BYTES) -> bytes:
        line = bytearray()
        while len(line) < limit:
            if self._start == self._end and not self._fill():
                break
            held = bytes(self._held[self._start : self._end][: limit - len(line)])
            end = held.find(b"\n") + 1 or len(held)
            line += held[:end]
            self._start += end
            if line.endswith(b"\n"):
                break
        return bytes(line)

    def flush(self) -> None:
        """Part of what http.client expects; there is nothing to flush."""

    def close(self) -> None:
        """The connection outlives the response."""

    def _fill(self) -> int:
        self._start = 0
        self._end = self._wire.recv_into(self._held, whole=False)
        return self._end

    def _take(self, view: memoryview) -> int:
        count = min(len(view), self._end - self._start)
        if count:
            view[:count] = self._held[self._start : self._start + count]
            self._start += count
        return count


def _timeval(duration_s: float) -> bytes:
    """struct timeval: seconds and microseconds, both long; zero would mean for ever."""
    microseconds = max(1, int(duration_s * 1e6))
    return struct.pack("ll", *divmod(microseconds, 1_000_000))
