"""One WebSocket that speaks graphql-transport-ws: who it belongs to, and what is no message.

Protocol: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. Strawberry's handler
trusts the shape of messages; here each is looked at first.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.websockets import WebSocket
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
)

from core.errors import Unauthenticated
from core.services import Services
from resolvers.context import Context
from server.auth import authenticate, bearer, from_connection

UNAUTHORIZED = 4401
FORBIDDEN = 4403
# RFC 6455, section 5.5: a control frame carries 125 bytes, two of them are the code.
REASON_BYTES = 123


class Socket(ASGIWebSocketAdapter):
    """Closes with reasons that fit, whatever text of the caller they quote."""

    async def close(self, code: int, reason: str) -> None:
        brief = reason.encode()[:REASON_BYTES].decode(errors="ignore")
        await super().close(code, brief)


class ConnectionHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """Its connection_init carries the token; without one it is closed with 4401, with a bad one
    4403.
    """

    async def handle_message(self, message: Message) -> None:
        if _well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Malformed message")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        payload = message.get("payload") or {}
        if not self.connection_init_received and isinstance(payload, dict):
            socket: WebSocket = self.websocket.ws  # type: ignore[attr-defined] # ours, above
            secret = from_connection(payload) or bearer(socket.headers.get("authorization"))
            services: Services = socket.app.state.services
            try:
                principal = await authenticate(services.tokens, secret)
            except Unauthenticated:
                await self._refuse(known=secret is not None)
                return
            self.context = Context(principal, services, uuid4().hex)
        await super().handle_connection_init({"type": "connection_init", "payload": payload})

    async def _refuse(self, *, known: bool) -> None:
        code, reason = (FORBIDDEN, "Forbidden") if known else (UNAUTHORIZED, "Unauthorized")
        await self.websocket.close(code=code, reason=reason)


def _well_formed(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    match message["type"]:
        case "subscribe":
            return _is_text(message, "id") and _is_request(message.get("payload"))
        case "complete":
            return _is_text(message, "id")
        case _:
            return True


def _is_text(message: Mapping[str, Any], key: str) -> bool:
    return isinstance(message.get(key), str)


def _is_request(payload: Any) -> bool:
    return (
        isinstance(payload, dict)
        and _is_text(payload, "query")
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
