"""A client that speaks the three wires of the api by hand, so that tests see every message.

Refuses to be clever: no retries, no caching, no hidden authentication.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

PROTOCOL = "graphql-transport-ws"
DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; `body` is None where it is no JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Any


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event; a comment has a `comment` and nothing else."""

    event: str | None = None
    id: str | None = None
    data: Any = None
    comment: str | None = None


class Socket:
    """One WebSocket, message by message."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self.wire = wire

    async def send(self, message: Mapping[str, Any]) -> None:
        await self.wire.send_str(orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        """The next message; fails if the server closes instead."""
        async with asyncio.timeout(DEADLINE_S):
            message = await self.wire.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, f"closed: {self.wire.close_code} {message}"
        received: dict[str, Any] = orjson.loads(message.data)
        return received

    async def closed(self) -> tuple[int | None, str]:
        """Code and reason with which the server closes; fails if it sends something instead."""
        async with asyncio.timeout(DEADLINE_S):
            message = await self.wire.receive()
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return message.data, str(message.extra or "")

    async def init(self, payload: Mapping[str, Any] | None = None) -> None:
        """connection_init, and its acknowledgement."""
        await self.send({"type": "connection_init", "payload": payload or {}})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(
        self, document: str, variables: Mapping[str, Any] | None = None, *, id_: str = "1"
    ) -> None:
        payload = {"query": document, "variables": variables or {}}
        await self.send({"id": id_, "type": "subscribe", "payload": payload})


class Stream:
    """The answers of one subscription on a socket of its own."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        message = await self.socket.receive()
        if message["type"] == "complete":
            raise StopAsyncIteration
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        return value

    async def take(self, count: int) -> list[Any]:
        return [await anext(self) for _ in range(count)]

    async def rest(self) -> list[Any]:
        """Everything until the server completes it."""
        return [value async for value in self]


class Client:
    """A caller of the api at `url`; `token`: None sends none."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        session = aiohttp.ClientSession(
            base_url=self.url, timeout=aiohttp.ClientTimeout(total=None, sock_read=DEADLINE_S)
        )
        self.session = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        headers = {**self.headers, **options.pop("headers", {})}
        async with self.session.request(method, path, headers=headers, **options) as response:
            text = await response.text()
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            body = None
        return Answer(response.status, response.headers, text, body)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.request("GET", path, **options)

    async def post(self, body: Any, **options: Any) -> Answer:
        """`body`: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        return await self.request(
            "POST", "/graphql", data=BytesIO(data), headers=headers, **options
        )

    async def ask(self, document: str, **variables: Any) -> Any:
        """The whole answer: `data`, and `errors` if there are any."""
        answer = await self.post({"query": document, "variables": variables})
        assert answer.status == 200, answer
        return answer.body

    async def data(self, document: str, **variables: Any) -> Any:
        """The value of the only root field; fails if there are errors."""
        body = await self.ask(document, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

    async def refused(self, document: str, **variables: Any) -> dict[str, Any]:
        """The only top-level error, as message, path and extensions."""
        body = await self.ask(document, **variables)
        (error,) = body["errors"]
        return {k: v for k, v in error.items() if k in ("message", "path", "extensions")}

    @asynccontextmanager
    async def socket(
        self, *, protocol: str = PROTOCOL, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Socket]:
        async with self.session.ws_connect(
            "/graphql", protocols=(protocol,), headers=headers, max_msg_size=0
        ) as wire:
            yield Socket(wire)

    @asynccontextmanager
    async def stream(self, document: str, **variables: Any) -> AsyncIterator[Stream]:
        async with self.socket() as socket:
            await socket.init({"Authorization": f"Bearer {self.token}"})
            await socket.subscribe(document, variables)
            yield Stream(socket)

    @asynccontextmanager
    async def events(
        self, query: str = "", *, last_event_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[Frame]]:
        """GET /events, frame by frame."""
        headers = dict(self.headers)
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        async with self.session.get(f"/events{query}", headers=headers) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            yield _frames(response.content)


async def _frames(content: aiohttp.StreamReader) -> AsyncIterator[Frame]:
    while True:
        fields: dict[str, Any] = {}
        async with asyncio.timeout(DEADLINE_S):
            while line := (await content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(":")
                fields[name or "comment"] = value.removeprefix(" ")
        if not fields:
            return  # the server has ended the stream
        if "data" in fields:
            fields["data"] = orjson.loads(fields["data"])
        yield Frame(**fields)


async def until(condition: Any, *, timeout_s: float = DEADLINE_S) -> None:
    """Waits for something that has no event of its own, such as a counter in another thread."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)
