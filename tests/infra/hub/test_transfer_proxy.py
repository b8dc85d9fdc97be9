"""Where the environment names a proxy, content goes through it too."""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from infra.hub.errors import HubUnavailable
from infra.hub.transfer.engine import transfer
from tests.infra.hub.repository import CONFIG, FILES, WEIGHTS, plan_for
from tests.infra.hub.serving import serving
from tests.infra.hub.test_transfer_tls import CONTENT, certificate, plan_at, tls, whole
from tests.infra.hub.watching import Recorder, contents

__all__ = ["certificate", "tls"]


class Proxy:
    """Forwards what is asked of it by absolute address, and tunnels what it is told to connect."""

    def __init__(self, *, refuses: int | None = None) -> None:
        self.refuses = refuses
        self.heads: list[list[str]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                self.heads.append([*lines])
                method, target, _ = lines[0].split(" ")
                if self.refuses:
                    writer.write(b"HTTP/1.1 %d no\r\nContent-Length: 0\r\n\r\n" % self.refuses)
                elif method == "CONNECT":
                    host, _, port = target.rpartition(":")
                    await self.tunnel(reader, writer, host, int(port), b"")
                    return
                else:
                    at = urlsplit(target)
                    path = target.partition(at.netloc)[2]
                    lines[0] = f"{method} {path} HTTP/1.1"
                    lines.insert(1, "Connection: close")
                    request = "\r\n".join(lines).encode("latin-1")
                    assert at.hostname
                    await self.tunnel(reader, writer, at.hostname, at.port or 80, request)
                    return
        writer.close()

    async def tunnel(self, reader, writer, host: str, port: int, request: bytes) -> None:
        answers, upstream = await asyncio.open_connection(host, port)
        if request:
            upstream.write(request)
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        await asyncio.gather(pump(reader, upstream), pump(answers, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def proxying(proxy: Proxy) -> AsyncIterator[Proxy]:
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        handlers.add(task)
        await proxy.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*handlers), 10)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def run(plan, staging) -> Recorder:
    heard = Recorder()
    await asyncio.to_thread(transfer, plan, staging, heard, threading.Event())
    return heard


async def test_http_goes_through_the_proxy(hub, commit, tmp_path, monkeypatch):
    async with proxying(Proxy()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:p%40ss@"))
        await run(plan_for(hub, CONFIG, WEIGHTS, revision=commit), tmp_path)
    assert contents(tmp_path) == {path: FILES[path] for path in (CONFIG, WEIGHTS)}
    assert len(proxy.heads) == 3
    basic = base64.b64encode(b"user:p@ss").decode()
    for head in proxy.heads:
        assert head[0].startswith("GET http://")
        assert f"Proxy-Authorization: Basic {basic}" in head
    assert hub.counters.cdn.auth_leaks == 0


async def test_host_that_is_excepted_is_asked_directly(hub, commit, tmp_path, monkeypatch):
    async with proxying(Proxy()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "localhost, 127.0.0.1")
        await run(plan_for(hub, CONFIG, WEIGHTS, revision=commit), tmp_path)
    assert contents(tmp_path) == {path: FILES[path] for path in (CONFIG, WEIGHTS)}
    assert proxy.heads == []


async def test_https_is_tunnelled_and_the_proxy_sees_nothing_of_it(
    tls, certificate, tmp_path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with proxying(Proxy()) as proxy, serving(whole, tls=tls) as endpoint:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//user:secret@"))
        await run(plan_at(endpoint), tmp_path)
    assert contents(tmp_path) == {"m.bin": CONTENT}
    at = endpoint.removeprefix("https://")
    basic = base64.b64encode(b"user:secret").decode()
    assert proxy.heads == [
        [
            f"CONNECT {at} HTTP/1.1",
            f"Host: {at}",
            f"Proxy-Authorization: Basic {basic}",
            "",
            "",
        ]
    ]


async def test_proxy_that_refuses_is_told_without_its_password(
    tls, certificate, tmp_path, monkeypatch
):
    async with proxying(Proxy(refuses=407)) as proxy, serving(whole, tls=tls) as endpoint:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//user:secret@"))
        with pytest.raises(HubUnavailable, match="the proxy answers 407") as caught:
            await run(plan_at(endpoint), tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["socks5://user:secret@127.0.0.1:1", "http://:x@:y", "ftp://"])
async def test_address_that_is_no_http_proxy_is_refused_without_its_password(
    hub, commit, tmp_path, monkeypatch, address
):
    monkeypatch.setenv("http_proxy", address)
    with pytest.raises(HubUnavailable, match="http_proxy does not name a proxy") as caught:
        await run(plan_for(hub, CONFIG, revision=commit), tmp_path)
    assert "secret" not in str(caught.value)
