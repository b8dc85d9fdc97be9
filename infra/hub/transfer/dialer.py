"""Opens sockets to servers, with TLS where the address asks for it.

The one place that a proxy or another set of certificates has to be put in.
"""

import socket
import ssl
from functools import cached_property
from typing import Any

from infra.hub.origin import Origin
from infra.hub.transfer.brake import Brake


class Dialer:
    """`timeout_s` holds for connecting and for each read and write after it."""

    def __init__(self, brake: Brake, *, timeout_s: float) -> None:
        self._brake = brake
        self._timeout_s = timeout_s

    def dial(self, origin: Origin) -> socket.socket:
        """A connected socket that the brake holds; to be given back with `hang_up`.

        Raises OSError, TransferStopped.
        """
        scheme, host, port = origin
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                self._connect(sock, address)
                return self._encrypted(sock, host) if scheme == "https" else sock
            except OSError as e:
                self._brake.check()
                failure = e
        raise failure or OSError(f"{host} has no address")

    def hang_up(self, sock: socket.socket) -> None:
        self._brake.release(sock)
        sock.close()

    def _connect(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        try:
            self._brake.hold(sock)
            sock.settimeout(self._timeout_s)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.hang_up(sock)
            raise

    def _encrypted(self, sock: socket.socket, host: str) -> socket.socket:
        self._brake.release(sock)
        # The shake of hands comes later, when the brake knows the socket that it blocks on.
        tls = self._tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        try:
            self._brake.hold(tls)
            tls.do_handshake()
        except BaseException:
            self.hang_up(tls)
            raise
        return tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()
