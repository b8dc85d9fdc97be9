"""Asks the api of `mllm-server up` whether everything is ready, without ever blocking its loop."""

import socket

_REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_MAX_ANSWER_BYTES = 4096
_CONNECT_TIMEOUT_S = 1.0


class Probe:
    """One question at a time to the process that accepts at `address`.

    The listening socket is held by the asking process, so that even a question to an api that still
    starts is not refused but answered later.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self.word = "nothing"

    def fds(self) -> list[int]:
        """Readable when the answer is there; empty: no question is under way."""
        return [self._socket.fileno()] if self._socket is not None else []

    def poll(self) -> int | None:
        """The status of an answer that has come, with its text in `word`; None: none yet.

        Asks (again) if no question is under way.
        """
        try:
            if self._socket is None:
                self._socket = self._ask()
            answer = self._socket.recv(_MAX_ANSWER_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            answer = b""  # the api died with the question; the next turn asks again
        self.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if len(words) < 3 or not words[1].isdigit():
            return None
        self.word = body.decode(errors="replace").strip()[:200] or "nothing"
        return int(words[1])

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self) -> socket.socket:
        connection = socket.create_connection(self._address, _CONNECT_TIMEOUT_S)
        connection.sendall(_REQUEST)
        connection.setblocking(False)
        return connection
