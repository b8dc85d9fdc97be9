"""Sends a file, whole or a range of it (RFC 9110, section 14), through the faults of the origin.

Refuses nothing the client asks; a multi-range request gets the whole file, as the RFC allows.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.hub.counters import ServedRange
from tests.fakes.hub.faults import (
    Corrupt,
    F,
    Fault,
    IgnoreRange,
    Rate,
    Stall,
    Truncate,
    WrongContentLength,
    WrongContentRange,
)
from tests.fakes.hub.origin import Origin
from tests.fakes.hub.repositories import File

CHUNK_BYTES = 1 << 18
# A paced body moves at least this often per second, so that a progress bar does.
PACED_CHUNKS_PER_S = 20


class UnsatisfiableRange(Exception):
    """The range starts behind the end of the file."""


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """[start, end) of a range; None: no single valid one, send all. Raises UnsatisfiableRange."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0:
            raise UnsatisfiableRange
        return max(0, size_bytes - int(last)), size_bytes
    if last and int(last) < int(first):
        return None
    if int(first) >= size_bytes:
        raise UnsatisfiableRange
    return int(first), min(int(last) + 1 if last else size_bytes, size_bytes)


@dataclass(slots=True, kw_only=True)
class Body:
    """One answer with the content of a file. Targets of faults are compared with `names`."""

    origin: Origin
    file: File
    names: Collection[str]
    headers: Mapping[str, str]
    free_at_s: float = 0.0

    async def send(self, request: web.Request) -> web.StreamResponse:
        span = None
        try:
            if "Range" in request.headers and not self._take(IgnoreRange):
                span = self._span(request)
        except UnsatisfiableRange:
            headers = {**self.headers, "Content-Range": f"bytes */{self.file.size_bytes}"}
            return web.Response(status=416, headers=headers)
        start, end = span or (0, self.file.size_bytes)
        response = web.StreamResponse(status=206 if span else 200, headers=self.headers)
        response.headers["Accept-Ranges"] = "bytes"
        response.content_type = "application/octet-stream"
        if span:
            wrong = self._take(WrongContentRange)
            shift = wrong.shift_bytes if wrong else 0
            claim = f"bytes {start + shift}-{end - 1 + shift}/{self.file.size_bytes}"
            response.headers["Content-Range"] = claim
        lie = None if request.method == "HEAD" else self._take(WrongContentLength)
        response.content_length = max(0, end - start + (lie.delta_bytes if lie else 0))
        end = min(end, start + response.content_length)
        writer = await response.prepare(request)
        if writer is not None and request.method != "HEAD":
            writer.send_headers()
            self.origin.tally.begun(ServedRange(self.file.sha256, start, end))
            if await self._stream(response, start, end) or (lie and lie.delta_bytes > 0):
                close(request)
                return response
        await response.write_eof()
        return response

    def _span(self, request: web.Request) -> tuple[int, int] | None:
        condition = request.headers.get("If-Range")
        if condition is not None and condition != self.headers.get("ETag"):
            return None
        return parse_range(request.headers["Range"], self.file.size_bytes)

    async def _stream(self, response: web.StreamResponse, start: int, end: int) -> bool:
        """Sends [start, end); True: cut short by a fault."""
        truncate = self._find(Truncate)
        stall = self._find(Stall)
        corrupt = self._find(Corrupt)
        sent = 0
        for chunk in self.file.chunks(start, end, chunk_bytes=self._chunk_bytes()):
            if stall and sent + len(chunk) > stall.after_bytes:
                keep = max(0, stall.after_bytes - sent)
                await self._write(response, chunk[:keep])
                await self._stall(stall)
                chunk, sent, stall = chunk[keep:], sent + keep, None
            if corrupt and start + sent <= corrupt.offset < start + sent + len(chunk):
                chunk = self._corrupted(chunk, corrupt, at=corrupt.offset - start - sent)
            if truncate and sent + len(chunk) > truncate.after_bytes and self._fire(truncate):
                await self._write(response, chunk[: max(0, truncate.after_bytes - sent)])
                return True
            await self._write(response, chunk)
            sent += len(chunk)
        return False

    async def _write(self, response: web.StreamResponse, chunk: bytes) -> None:
        if not chunk:
            return
        rate = self._find(Rate)
        if rate:
            wait_s, self.free_at_s = self.origin.delay_s(rate, len(chunk), free_at_s=self.free_at_s)
            await asyncio.sleep(wait_s)
        # Before the write: a client that has the bytes finds them counted.
        self.origin.tally.sent(self.file.sha256, len(chunk))
        await response.write(chunk)

    async def _stall(self, fault: Stall) -> None:
        if not self._fire(fault):
            return
        # When the client leaves, this handler is cancelled.
        with suppress(TimeoutError):
            async with asyncio.timeout(fault.duration_s):
                await self.origin.faults.changed()

    def _corrupted(self, chunk: bytes, fault: Corrupt, *, at: int) -> bytes:
        if not self._fire(fault):
            return chunk
        return chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]

    def _chunk_bytes(self) -> int:
        rate = self._find(Rate)
        if rate is None:
            return CHUNK_BYTES
        return max(1, min(CHUNK_BYTES, rate.bytes_per_s // PACED_CHUNKS_PER_S))

    def _find(self, kind: type[F]) -> F | None:
        return self.origin.faults.find(kind, self.names)

    def _take(self, kind: type[F]) -> F | None:
        return self.origin.faults.take(kind, self.names)

    def _fire(self, fault: Fault) -> bool:
        return self.origin.faults.fire(fault)


def close(request: web.Request) -> None:
    """Ends the connection after what is already written."""
    if request.transport is not None:
        request.transport.close()
