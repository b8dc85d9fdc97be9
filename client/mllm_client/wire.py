"""gql's transports as mllm uses them: text instead of parsed documents, close codes kept, no
redirects, bounded reading.

Imports gql and aiohttp (see `transport`); everything that subscribes comes through here.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, NoReturn

import aiohttp
from gql import GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.common.adapters.aiohttp import AIOHTTPWebSocketsAdapter
from gql.transport.exceptions import TransportConnectionFailed, TransportProtocolError
from gql.transport.websockets_protocol import WebsocketsProtocolTransportBase
from graphql import ExecutionResult

from mllm_client.config import Server
from mllm_client.transport import USER_AGENT

UNREAD_MESSAGES = (
    64  # then reading stops and the server sees a slow reader, which it coalesces or closes
)
SILENCE_S = 20.0  # a ping unanswered for half of this is a lost connection


class StoredRequest(GraphQLRequest):
    """A request whose document stays text: it was validated when it was generated."""

    def __init__(self, text: str, *, variables: dict[str, Any], operation: str | None) -> None:
        self._payload: dict[str, Any] = {"query": text, "variables": variables}
        if operation is not None:
            self._payload["operationName"] = operation

    @property
    def payload(self) -> dict[str, Any]:
        return self._payload


class ConnectionClosed(TransportConnectionFailed):
    """The server closed the socket. `code` is the close code; None: the connection broke."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"closed with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class Adapter(AIOHTTPWebSocketsAdapter):
    """gql's adapter, which forgets why a socket was closed, with the close code and its reason."""

    async def receive(self) -> str:
        websocket = self.websocket  # close() may take it away while this waits
        if websocket is None:
            raise ConnectionClosed(None, "")
        message = await websocket.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                return str(message.data)
            case aiohttp.WSMsgType.BINARY:
                raise TransportProtocolError("Binary data received in the websocket")
            case _:
                raise ConnectionClosed(websocket.close_code, str(message.extra or ""))


class Socket(WebsocketsProtocolTransportBase):
    """One graphql-transport-ws connection for one subscription.

    The token goes into the handshake's header and, for servers behind proxies that drop it, into
    connection_init.
    """

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.adapter = Adapter(
            url=server.websocket_url,
            headers=server.headers,
            session=session,
            heartbeat=SILENCE_S,
            websocket_close_timeout=2.0,
        )
        super().__init__(
            adapter=self.adapter,
            init_payload=dict(server.headers),
            close_timeout=2.0,
            subprotocols=[self.GRAPHQLWS_SUBPROTOCOL],
        )
        self._room = asyncio.Semaphore(UNREAD_MESSAGES)

    async def _handle_answer(
        self, answer_type: str, answer_id: int | None, execution_result: ExecutionResult | None
    ) -> None:
        if answer_type == "data":
            await self._room.acquire()
        await super()._handle_answer(answer_type, answer_id, execution_result)

    async def results(self, request: StoredRequest) -> AsyncGenerator[ExecutionResult, None]:
        """Answers of one subscription, read no faster than they are consumed."""
        async with contextlib.aclosing(self.subscribe(request)) as answers:
            try:
                async for answer in answers:
                    yield answer
                    self._room.release()
            finally:
                self._room.release()


def session(**options: Any) -> aiohttp.ClientSession:
    """An aiohttp session that refuses redirects: they would carry the token elsewhere."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        trace_configs=[trace], headers={"User-Agent": USER_AGENT}, **options
    )


def http(server: Server, *, timeout_s: float) -> AIOHTTPTransport:
    """A connected-on-enter transport for queries and mutations.

    `timeout_s` bounds a whole request.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return AIOHTTPTransport(
        url=server.graphql_url,
        headers={"User-Agent": USER_AGENT, **server.headers},
        client_session_args={
            "timeout": aiohttp.ClientTimeout(total=timeout_s),
            "trace_configs": [trace],
        },
    )


async def _refuse_redirect(*_: Any) -> NoReturn:
    raise aiohttp.ClientError("the server answered with a redirect")
