"""Opens sockets to servers: looked up, through the proxy that there may be, with TLS if asked for.

Shared by the threads of a transfer. No step outlasts the brake.
"""

import socket
import ssl
import threading
from typing import Any

from infra.hub.origin import Origin
from infra.hub.transfer.brake import Brake
from infra.hub.transfer.proxy import Proxy, proxy_for
from infra.hub.transfer.wire import Plain, Reader, Tls, Wire

_STOP_POLL_S = 0.05
_MAX_HEADER_LINES = 100
Address = tuple[socket.AddressFamily, socket.SocketKind, int, tuple[Any, ...]]


class Line:
    """An open line to a server. `proxy`: requests name the whole address; None: only the path."""

    def __init__(self, sock: socket.socket, wire: Wire, proxy: Proxy | None) -> None:
        self.sock = sock
        self.wire = wire
        self.proxy = proxy


class Dialer:
    """`timeout_s` holds for connecting and for the silence of a server after it.

    Trusts what the system trusts, or what SSL_CERT_FILE and SSL_CERT_DIR name in its place.
    """

    def __init__(self, brake: Brake, *, timeout_s: float) -> None:
        self._brake = brake
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def dial(self, origin: Origin) -> Line:
        """Held by the brake; to be given back with `hang_up`. Raises OSError, TransferStopped."""
        scheme, host, port = origin
        proxy = proxy_for(origin)
        sock = self._connected(proxy.host if proxy else host, proxy.port if proxy else port)
        try:
            wire: Wire = Plain(sock, timeout_s=self._timeout_s)
            if scheme == "http":
                return Line(sock, wire, proxy)
            if proxy:
                _tunnel(wire, proxy, f"{_bracketed(host)}:{port}")
            return Line(sock, Tls(wire, self._trusted(), host), None)
        except BaseException:
            self._give_up(sock)
            raise

    def hang_up(self, line: Line) -> None:
        self._give_up(line.sock)

    def _give_up(self, sock: socket.socket) -> None:
        self._brake.release(sock)
        sock.close()

    def _connected(self, host: str, port: int) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, address in self._addresses(host, port):
            sock = socket.socket(family, kind, protocol)
            try:
                self._brake.hold(sock)
                sock.settimeout(self._timeout_s)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as e:
                self._give_up(sock)
                self._brake.check()
                failure = e
            except BaseException:
                self._give_up(sock)
                raise
            else:
                return sock
        raise failure or OSError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[Address]:
        """In a thread of its own: nothing else ends a look-up before the resolver does."""
        found: list[Address] = []
        failed: list[OSError] = []
        done = threading.Event()

        def look_up() -> None:
            try:
                answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found.extend((family, kind, proto, at) for family, kind, proto, _, at in answers)
            except (OSError, UnicodeError) as e:  # UnicodeError: a name that is none
                failed.append(OSError(f"{host}: {e}"))
            finally:
                done.set()

        threading.Thread(target=look_up, name="hub-look-up", daemon=True).start()
        while not done.wait(_STOP_POLL_S):
            self._brake.check()
        if failed:
            raise failed[0]
        return found

    def _trusted(self) -> ssl.SSLContext:
        with self._lock:  # reading the system's certificates takes 20 ms
            if self._context is None:
                self._context = ssl.create_default_context()
                self._context.set_alpn_protocols(["http/1.1"])
            return self._context


def _tunnel(wire: Wire, proxy: Proxy, at: str) -> None:
    """RFC 9110, section 9.3.6. Raises OSError unless the proxy connects us."""
    headers = {"Host": at, **proxy.headers}
    lines = [f"CONNECT {at} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    wire.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    reader = Reader(wire)
    status = reader.readline().split(None, 2)
    for _ in range(_MAX_HEADER_LINES):
        if reader.readline().strip() == b"":
            break
    if len(status) < 2 or not status[1].startswith(b"2"):
        answer = status[1].decode("latin-1") if len(status) > 1 else "nothing"
        raise OSError(f"the proxy answers {answer}")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
