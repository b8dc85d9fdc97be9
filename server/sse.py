"""GET /events: the feed as server-sent events.

Protocol: https://html.spec.whatwg.org/multipage/server-sent-events.html. On connect the last events
come between the markers stream.seed.start and stream.seed.complete, then what happens.
`Last-Event-ID` resumes after an event instead. Stored events carry their id; markers, gaps and
progress ticks carry none, so that a browser resumes after a real one.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from core.errors import BadId, ErrorCode, Unauthenticated
from core.feed.entity import Event
from core.feed.replay import EventGap, follow
from core.services import Services
from infra.bus.signal import Signal
from server.auth import authenticate, bearer
from server.graphql import unauthenticated

SEED_MAX = 1000
_NUMBER = re.compile(r"[0-9]{1,4}")


async def events(request: Request) -> Response:
    """Query: `types` (globs, comma-separated; default all), `seed` (events to start with)."""
    services: Services = request.app.state.services
    try:
        await authenticate(services.tokens, bearer(request.headers.get("authorization")))
    except Unauthenticated as e:
        return unauthenticated(e)
    seed = request.query_params.get("seed", str(services.settings.feed.seed_count))
    if not _NUMBER.fullmatch(seed) or int(seed) > SEED_MAX:
        return _bad(ErrorCode.INVALID, f"seed must be a number from 0 to {SEED_MAX}")
    types = request.query_params.get("types")
    globs = [glob.strip() for glob in types.split(",")] if types else None
    last_id = request.headers.get("last-event-id") or None
    try:
        if last_id is not None:
            await services.feed.find(last_id)
    except BadId as e:
        return _bad(e.code, e.message)
    frames = _frames(services, globs, last_id, int(seed))
    return StreamingResponse(
        _with_heartbeat(frames, services.settings.feed.heartbeat_s),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )


async def _frames(
    services: Services, globs: list[str] | None, last_id: str | None, seed: int
) -> AsyncIterator[bytes]:
    after: str | int = last_id or await services.feed.head()
    if last_id is None:
        rows = await services.feed.latest(seed, globs=globs)
        yield _frame("stream.seed.start", {"count": len(rows)})
        for row in rows:
            yield _event(row)
        yield _frame("stream.seed.complete", {"count": len(rows)})
        after = max(int(after), rows[-1].seq) if rows else after
    live = follow(services.feed, services.events, globs=globs, after=after, ticks=True)
    async for item in live:
        match item:
            case Event():
                yield _event(item)
            case EventGap():
                gap = {"from": item.from_, "to": item.to, "reason": item.reason}
                yield _frame("stream.gap", gap)
            case Signal():
                yield _frame(item.type, {"type": item.type, "detail": item.detail})


async def _with_heartbeat(frames: AsyncIterator[bytes], silence_s: float) -> AsyncIterator[bytes]:
    """The frames, and a comment after each silence, which keeps proxies from closing the
    connection.
    """
    following = asyncio.ensure_future(anext(frames, None))
    try:
        while True:
            done, _pending = await asyncio.wait([following], timeout=silence_s)
            if not done:
                yield b": heartbeat\n\n"
                continue
            frame = following.result()
            if frame is None:
                return
            yield frame
            following = asyncio.ensure_future(anext(frames, None))
    finally:
        following.cancel()
        await asyncio.wait([following])
        await frames.aclose()  # type: ignore[attr-defined] # it is a generator


def _event(row: Event) -> bytes:
    data = {
        "id": row.id,
        "type": row.type,
        "at": row.at.isoformat(),
        "subjectId": row.subject_id,
        "detail": row.detail,
    }
    return f"id: {row.id}\n".encode() + _frame(row.type, data)


def _frame(name: str, data: Mapping[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def _bad(code: str, message: str) -> Response:
    return JSONResponse({"errors": [{"message": message, "extensions": {"code": code}}]}, 400)
