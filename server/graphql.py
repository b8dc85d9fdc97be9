"""The GraphQL endpoint: authentication, context, encoding.

Protocol: https://graphql.github.io/graphql-over-http/draft/, and server/websocket.py. A caller is
known before its document is parsed.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import strawberry
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from core.errors import Unauthenticated
from core.services import Services
from infra.settings import Limits
from resolvers.context import Context
from server import graphiql
from server.auth import authenticate, bearer
from server.websocket import ConnectionHandler, Socket


class GraphQLView(GraphQL[Context, None]):
    """The endpoint /graphql. GET from a browser is GraphiQL's page; operations come by POST or
    over a WebSocket.
    """

    graphql_transport_ws_handler_class = ConnectionHandler
    websocket_adapter_class = Socket

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

    def parse_json(self, data: str | bytes) -> Any:
        """Raises HTTPException for what is no request at all; its fields are looked at later."""
        document = super().parse_json(data)
        if not isinstance(document, dict | list):
            raise HTTPException(400, "The body must be a JSON object")
        return document

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
