"""What one request may cost, before anything is executed."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from graphql import GraphQLError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.extensions import (
    AddValidationRules,
    MaxTokensLimiter,
    ParserCache,
    SchemaExtension,
    ValidationCache,
)

from infra.settings import Limits
from server.shape import shape_rule

# Of documents, whatever they were sent by: bounds memory, not rate.
CACHED_DOCUMENTS = 256
TOO_LARGE = "request body too large"


def extensions(limits: Limits) -> list[Callable[[], SchemaExtension]]:
    """Schema extensions that refuse documents that are too long, too deep or too repetitive."""
    rule = shape_rule(max_depth=limits.depth, max_aliases=limits.aliases)
    return [
        lambda: MaxTokensLimiter(max_token_count=limits.tokens),
        lambda: AddValidationRules([rule]),
        lambda: Parsed(maxsize=CACHED_DOCUMENTS),
        lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
    ]


class Parsed(ParserCache):
    """Parses once for equal documents. A document that is no GraphQL is left to the executor, which
    tells its caller; an error in a hook would be lost on a WebSocket.
    """

    def on_parse(self) -> Iterator[None]:
        with suppress(GraphQLError):
            next(super().on_parse())
        yield


class BodyLimit:
    """Middleware: answers 413 to a request body of more than `max_bytes`, told or streamed."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._max_bytes:
            await _too_large(send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        seen_bytes = 0

        async def counted() -> Message:
            nonlocal seen_bytes
            message = await receive()
            seen_bytes += len(message.get("body", b""))
            if seen_bytes > self._max_bytes:
                # A chunked body told no length: the rest of it is not read, the connection ends.
                raise HTTPException(413, TOO_LARGE, {"Connection": "close"})
            return message

        return counted


async def _too_large(send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": TOO_LARGE.encode()})
