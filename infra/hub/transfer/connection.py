"""HTTP/1.1 over blocking sockets: GET, and a body that is received into a given buffer.

Refuses to follow redirects and to judge a status. Whatever breaks on the wire is `Interrupted`,
whose text never has an address in it: it may be a signed one.
"""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlsplit

from infra.hub.backoff import Headers
from infra.hub.origin import Origin, origin
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.dialer import Dialer, Line
from infra.hub.transfer.wire import Reader

# The hub, its CDN, and one more for a change of either.
_MAX_KEPT = 3
# A body that nobody wants is read up to here to keep the connection, else the connection goes.
_MAX_DRAINED_BYTES = 1 << 16
# All that may stand in an address (RFC 3986, section 2); what may not is encoded.
_SAFE = "%!#$&'()*+,/:;=?@[]~"


class Interrupted(Exception):
    """Worth another try. `delay_s`: what the server asks to wait; None: it does not say.

    `busy`: it asks for fewer requests.
    """

    def __init__(self, reason: str, *, delay_s: float | None = None, busy: bool = False) -> None:
        super().__init__(reason)
        self.delay_s = delay_s
        self.busy = busy


class Connections:
    """The connections of one thread, kept alive by origin. Not for use by several threads."""

    def __init__(self, brake: Brake, dialer: Dialer) -> None:
        self._brake = brake
        self._dialer = dialer
        self._kept: dict[Origin, _Connection] = {}

    def get(self, url: str, headers: Mapping[str, str]) -> "Answer":
        """Raises Interrupted, TransferStopped; ValueError for what is not an http address."""
        at = origin(url)
        kept = self._kept.pop(at, None)
        with wire_faults(self._brake):
            if kept:
                # The server may have closed it while it was idle.
                with suppress(ConnectionError, http.client.BadStatusLine):
                    return self._asked(kept, url, headers)
            return self._asked(_Connection(self._dialer, at), url, headers)

    def keep(self, connection: "_Connection") -> None:
        while len(self._kept) >= _MAX_KEPT:
            self._kept.pop(next(iter(self._kept))).close()
        self._kept[connection.origin] = connection

    def close(self) -> None:
        while self._kept:
            self._kept.popitem()[1].close()

    def _asked(self, connection: "_Connection", url: str, headers: Mapping[str, str]) -> "Answer":
        try:
            return Answer(connection.get(url, headers), connection=connection, pool=self)
        except BaseException:
            connection.close()
            raise

    @property
    def brake(self) -> Brake:
        return self._brake


class Answer:
    """A response whose body is read by `read_into`; leaving it gives back or closes its connection.

    `length_bytes`: of the body; None: the server does not say.
    """

    def __init__(
        self, response: http.client.HTTPResponse, *, connection: "_Connection", pool: Connections
    ) -> None:
        self._response = response
        self._connection = connection
        self._pool = pool
        self.status = response.status
        self.headers: Headers = response.headers
        self.length_bytes = None if response.chunked else response.length
        self._left_bytes = self.length_bytes

    def read_into(self, buffer: memoryview) -> int:
        """Blocks for a byte at least; 0: the end. Raises Interrupted, TransferStopped."""
        with wire_faults(self._pool.brake):
            if self._left_bytes is None:
                return self._response.readinto(buffer)
            if self._left_bytes == 0:
                return 0
            # Past HTTPResponse, which would wait until the buffer is full.
            count = self._connection.reader.readinto1(buffer[: self._left_bytes])
        self._left_bytes -= count
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._used_up() and not self._response.will_close:
            self._response.close()
            self._pool.keep(self._connection)
        else:
            self._connection.close()

    def drain(self) -> None:
        """Reads what is left of a short body, so that the connection can be used again."""
        buffer = memoryview(bytearray(_MAX_DRAINED_BYTES))
        drained = 0
        while drained < _MAX_DRAINED_BYTES and (count := self.read_into(buffer[drained:])):
            drained += count

    def _used_up(self) -> bool:
        return self._left_bytes == 0 or self._response.isclosed()


class _Connection:
    def __init__(self, dialer: Dialer, at: Origin) -> None:
        self.origin = at
        self._dialer = dialer
        self._line = dialer.dial(at)
        self.reader = Reader(self._line.wire)
        self._http = http.client.HTTPConnection(at[1], at[2])
        self._http.auto_open = 0
        self._http.sock = cast("Any", _Socket(self._line, self.reader))

    def get(self, url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), _SAFE)
        # As it stands in the address: signatures cover it, and http.client would add `:443`.
        host = parts.netloc.rpartition("@")[2]
        proxy = self._line.proxy
        if proxy:
            target = f"{parts.scheme}://{host}{target}"
            headers = {**headers, **proxy.headers}
        self._http.request("GET", target, headers={"Host": host, **headers})
        return self._http.getresponse()

    def close(self) -> None:
        self._http.close()
        self._dialer.hang_up(self._line)


class _Socket:
    """As much of a socket as http.client uses of one that is connected."""

    def __init__(self, line: Line, reader: Reader) -> None:
        self.sendall = line.wire.sendall
        self._reader = reader

    def makefile(self, _mode: str) -> Reader:
        return self._reader

    def close(self) -> None:
        """The line is hung up by the connection."""


@contextmanager
def wire_faults(brake: Brake) -> Iterator[None]:
    """What breaks in here is Interrupted, or TransferStopped if the brake broke it."""
    try:
        yield
    except TimeoutError as e:
        brake.check()
        raise Interrupted("the server is silent") from e
    except http.client.InvalidURL:
        brake.check()
        raise Interrupted("the address that the hub names is not valid") from None
    except (OSError, http.client.HTTPException) as e:
        brake.check()
        raise Interrupted(str(e) or type(e).__name__) from e
