"""A hub and its CDN for benchmarks, in a process of its own: threads, and sendfile(2) for content.

Answers documents that were recorded beforehand. As cheap as a server in Python gets, so that the
clients are what is measured. Started by `benchmarks.downloads`; ends with its standard input.
"""

import json
import os
import re
import socket
import ssl
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_TLS_PIECE_BYTES = 1 << 20


@dataclass(slots=True)
class Site:
    """`documents`: JSON by path; `files`: by path at the hub, with `blob`, `sha256`, `git` …"""

    documents: dict[str, str]
    files: dict[str, dict[str, Any]]
    cdn: str = ""
    sent_bytes: int = 0


class Connection:
    """One client, served until it leaves."""

    def __init__(self, sock: socket.socket, site: Site) -> None:
        self._socket = sock
        self._site = site
        self._in = sock.makefile("rb")

    def serve(self) -> None:
        with suppress(OSError), self._socket, self._in:
            while line := self._in.readline():
                method, target, _ = line.decode("latin-1").split(" ")
                headers = {}
                while (header := self._in.readline().strip()) != b"":
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                self._answer(method, target.partition("?")[0], headers)

    def _answer(self, method: str, path: str, headers: dict[str, str]) -> None:
        site = self._site
        if path.startswith("/blobs/"):
            self._content(method, Path(path), headers, {"ETag": f'"{path[7:]}"'})
        elif path == "/sent":
            self._text(method, str(site.sent_bytes))
        elif path in site.documents:
            self._text(method, site.documents[path])
        else:
            file = site.files.get(unquote(path))
            if file is None:
                self._head("404 Not Found", {"Content-Length": "0"})
            else:
                self._resolve(method, file, headers)

    def _resolve(self, method: str, file: dict[str, Any], headers: dict[str, str]) -> None:
        told = {"X-Repo-Commit": file["commit"], "ETag": f'"{file["git"]}"'}
        if not file["lfs"]:
            self._content(method, Path(file["blob"]), headers, told)
            return
        told |= {"X-Linked-Etag": f'"{file["sha256"]}"', "X-Linked-Size": str(file["size"])}
        location = f"{self._site.cdn}{file['blob']}?Expires=9999999999&sig=0123456789abcdef"
        self._head("302 Found", {**told, "Location": location, "Content-Length": "0"})

    def _text(self, method: str, text: str) -> None:
        body = text.encode()
        told = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._head("200 OK", told, b"" if method == "HEAD" else body)

    def _content(
        self, method: str, path: Path, headers: dict[str, str], told: dict[str, str]
    ) -> None:
        with (FOLDER / path.relative_to("/")).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start, end, status = 0, size, "200 OK"
            if asked := _RANGE.fullmatch(headers.get("range", "")):
                start, end = int(asked[1]), int(asked[2] or size - 1) + 1
                status = "206 Partial Content"
                told = {**told, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
            length = {"Accept-Ranges": "bytes", "Content-Length": str(end - start)}
            self._head(status, {**told, **length}, more=method == "GET")
            if method == "GET":
                self._send(file.fileno(), start, end)

    def _send(self, descriptor: int, start: int, end: int) -> None:
        tls = isinstance(self._socket, ssl.SSLSocket)
        buffer = memoryview(bytearray(_TLS_PIECE_BYTES)) if tls else None
        while start < end:
            if buffer is None:
                count = os.sendfile(self._socket.fileno(), descriptor, start, end - start)
            else:
                count = os.preadv(descriptor, [buffer[: end - start]], start)
                self._socket.sendall(buffer[:count])
            start += count
            self._site.sent_bytes += count

    def _head(
        self, status: str, headers: dict[str, str], body: bytes = b"", *, more: bool = False
    ) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.sendall(data)
        else:
            self._socket.sendall(data, socket.MSG_MORE if more else 0)


def accept(listener: socket.socket, site: Site, tls: ssl.SSLContext | None) -> None:
    """Until the process ends."""

    def serve(sock: socket.socket) -> None:
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wrapped = tls.wrap_socket(sock, server_side=True) if tls else sock
            Connection(wrapped, site).serve()

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def main() -> None:
    certificate = sys.argv[2] if len(sys.argv) > 2 else None
    site = Site(**json.loads((FOLDER / "site.json").read_text()))
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(2)]
    ports = [listener.getsockname()[1] for listener in listeners]
    scheme = "https" if tls else "http"
    # Other names for the same machine: the client has to take them for two origins.
    hub = f"{scheme}://127.0.0.1:{ports[0]}"
    site.cdn = f"{scheme}://localhost:{ports[1]}"
    for listener in listeners:
        threading.Thread(target=accept, args=(listener, site, tls), daemon=True).start()
    print(hub, site.cdn, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    main()
