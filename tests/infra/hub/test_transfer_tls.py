"""The same over TLS, against the certificates that the system trusts."""

import asyncio
import hashlib
import shutil
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from infra.hub.errors import HubUnavailable, TransferStopped
from infra.hub.snapshot import HubFile
from infra.hub.transfer.engine import transfer
from infra.hub.transfer.plan import TransferPlan
from infra.hub.transfer.wire import Tls
from tests.infra.hub.repository import MIB, noise
from tests.infra.hub.serving import serving
from tests.infra.hub.watching import Recorder, contents

CONTENT = noise(3 * MIB + 5, seed=7)
FILE = HubFile("m.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "b" * 40)

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes certificates")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """For localhost, with its key in the same file."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-days", "2", *curve, *names]
    files = ["-keyout", f"{path}.key", "-out", path]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=30)
    path.write_text(path.read_text() + Path(f"{path}.key").read_text())
    return path


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def plan_at(endpoint: str) -> TransferPlan:
    return TransferPlan(
        endpoint=endpoint,
        token=None,
        repo="a/b",
        revision="c" * 40,
        files=(FILE,),
        parallel_files=1,
        timeout_s=60,
        backoff_s=0.001,
    )


async def whole(request: web.Request) -> web.Response:
    """Like a signed address: only for the host it was signed for."""
    port = request.get_extra_info("sockname")[1]
    if request.headers.getall("Host") != [f"localhost:{port}"]:
        return web.Response(status=403)
    return web.Response(body=CONTENT)


async def half_and_silence(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = len(CONTENT)
    await response.prepare(request)
    await response.write(CONTENT[:MIB])
    await asyncio.Event().wait()
    return response


async def test_content_arrives_over_tls(tls, certificate, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving(whole, tls=tls) as endpoint:
        plan = plan_at(endpoint)
        await asyncio.to_thread(transfer, plan, tmp_path, Recorder(), threading.Event())
    assert contents(tmp_path) == {"m.bin": CONTENT}


async def test_certificate_that_is_not_trusted_is_refused(tls, tmp_path):
    async with serving(whole, tls=tls) as endpoint:
        plan = plan_at(endpoint)
        with pytest.raises(HubUnavailable, match="certificate"):
            await asyncio.to_thread(transfer, plan, tmp_path, Recorder(), threading.Event())
    assert contents(tmp_path) == {"m.bin.part": b""}


async def test_stalled_transfer_over_tls_stops_at_once(tls, certificate, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    heard, stop = Recorder(), threading.Event()
    async with serving(half_and_silence, tls=tls) as endpoint:
        running = asyncio.create_task(
            asyncio.to_thread(transfer, plan_at(endpoint), tmp_path, heard, stop)
        )
        await asyncio.to_thread(heard.wait_until, lambda heard: heard.total_bytes == MIB)
        begun = time.monotonic()
        stop.set()
        with pytest.raises(TransferStopped):
            await asyncio.wait_for(running, 10)
        assert time.monotonic() - begun <= 0.5
    assert contents(tmp_path) == {"m.bin.part": CONTENT[:MIB]}


class OtherSide:
    """A server in memory, as the wire under TLS. Fails a read that waits for more than will come:
    over a socket it would last until the next tick.
    """

    def __init__(self, context: ssl.SSLContext, content: bytes, *, piece_bytes: int) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._content = content
        self._piece_bytes = piece_bytes
        self.reads_for_many = 0

    def sendall(self, data: bytes) -> None:
        self._incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            self._tls.write(self._content)
            self._content = b""

    def recv_into(self, view: memoryview, *, whole: bool) -> int:
        if whole:
            assert len(view) <= self._outgoing.pending
            self.reads_for_many += 1
        data = self._outgoing.read(len(view) if whole else min(len(view), self._piece_bytes))
        view[: len(data)] = data
        return len(data)


@pytest.mark.parametrize("piece_bytes", [1, 777, 16_384, 70_000])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_read_over_tls_never_waits_for_bytes_that_are_there_already(
    tls, certificate, piece_bytes, version
):
    tls.maximum_version = version
    other = OtherSide(tls, CONTENT, piece_bytes=piece_bytes)
    wire = Tls(other, ssl.create_default_context(cafile=certificate), "localhost")
    received = bytearray()
    buffer = memoryview(bytearray(1 << 20))
    while left_bytes := len(CONTENT) - len(received):
        count = wire.recv_into(buffer[:left_bytes], whole=True)
        assert count > 0
        received += buffer[:count]
    assert received == CONTENT
    assert other.reads_for_many > 0
