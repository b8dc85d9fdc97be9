"""GraphQL over HTTP and over WebSockets (graphql-transport-ws): authentication, context, encoding.

Protocols: https://graphql.github.io/graphql-over-http/draft/ and
https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. A caller is known before its
document is parsed.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import strawberry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage

from core.errors import Unauthenticated
from core.services import Services
from infra.settings import Limits
from resolvers.context import Context
from server import graphiql
from server.auth import authenticate, bearer, from_connection

UNAUTHORIZED = 4401
FORBIDDEN = 4403


class ConnectionHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One WebSocket. Its connection_init carries the token; without one it is closed with 4401,
    with a bad one 4403.
    """

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        payload = message.get("payload") or {}
        request = self.view.request_of(self.websocket)  # type: ignore[attr-defined] # ours, below
        secret = bearer(request.headers.get("authorization"))
        if isinstance(payload, dict):
            secret = from_connection(payload) or secret
        services: Services = request.app.state.services
        try:
            principal = await authenticate(services.tokens, secret)
        except Unauthenticated:
            code, reason = (
                (UNAUTHORIZED, "Unauthorized") if secret is None else (FORBIDDEN, "Forbidden")
            )
            await self.websocket.close(code=code, reason=reason)
            return
        self.context = Context(principal, services, uuid4().hex)
        await super().handle_connection_init(message)


class GraphQLView(GraphQL[Context, None]):
    """The endpoint /graphql. GET from a browser is GraphiQL's page; operations come by POST or
    over a WebSocket.
    """

    graphql_transport_ws_handler_class = ConnectionHandler

    def __init__(self, schema: strawberry.Schema, limits: Limits) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=limits.connection_init_s),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            refusal = await self._refusal(request)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Context:
        context: Context = request.scope.get("mllm.context")  # type: ignore[assignment]
        return context  # None on a WebSocket, until its connection_init

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def request_of(self, adapter: Any) -> WebSocket:
        socket: WebSocket = adapter.ws
        return socket

    async def _refusal(self, request: Request) -> Response | None:
        """The page for a browser, or why the request is not looked at; None: it is, and its
        context is set.
        """
        if graphiql.wants_page(request):
            return graphiql.page(request)
        services: Services = request.app.state.services
        try:
            secret = bearer(request.headers.get("authorization"))
            principal = await authenticate(services.tokens, secret)
        except Unauthenticated as e:
            return unauthenticated(e)
        request.scope["mllm.context"] = Context(principal, services, uuid4().hex)
        return None


def unauthenticated(error: Unauthenticated) -> Response:
    """401 in the shape of a GraphQL answer, which every client of the API can read."""
    extensions = {"code": error.code, "hint": error.hint}
    body = {"data": None, "errors": [{"message": error.message, "extensions": extensions}]}
    return JSONResponse(body, 401, headers={"WWW-Authenticate": 'Bearer realm="mllm"'})
