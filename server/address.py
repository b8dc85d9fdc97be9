"""The listening socket of `mllm-server up`.

It is bound before anything starts, so that a taken port is told at once, and outlives the api, so
that a restart of the api refuses no connection: those who come meanwhile wait.
"""

import errno
import socket
from dataclasses import dataclass
from typing import Self

_BACKLOG = 512
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound


class AddressError(Exception):
    """The address cannot be listened on; the text is for people."""


@dataclass(frozen=True, slots=True)
class Address:
    """A bound, listening socket and how this machine reaches it."""

    socket: socket.socket
    host: str
    port: int

    @classmethod
    def listen(cls, host: str, port: int) -> Self:
        """Binds `host` and `port` (0: any free one); raises AddressError."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, protocol)
        except OSError as e:
            raise AddressError(f"MLLM_HOST={host} is not an address of this machine: {e}") from e
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as e:
            listener.close()
            raise AddressError(_reason(host, port, e)) from e
        return cls(listener, str(address[0]), int(listener.getsockname()[1]))

    @property
    def fd(self) -> int:
        return self.socket.fileno()

    @property
    def local(self) -> tuple[str, int]:
        """Where this machine reaches it, whatever it is bound to."""
        return _LOCAL.get(self.host, self.host), self.port

    @property
    def url(self) -> str:
        host, port = self.local
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def close(self) -> None:
        self.socket.close()


def _reason(host: str, port: int, e: OSError) -> str:
    match e.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is taken by another process: set MLLM_PORT to a free one"
        case errno.EACCES:
            return f"port {port} needs more rights: set MLLM_PORT to 1024 or more"
        case _:
            return f"cannot listen on MLLM_HOST={host} MLLM_PORT={port}: {e.strerror}"
