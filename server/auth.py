"""Who calls: a bearer token in the Authorization header, or in a WebSocket's connection_init
payload.

Tokens in query strings are never looked at: they end up in logs and histories.
"""

from collections.abc import Mapping
from typing import Any

from core.errors import Unauthenticated
from core.principal import Principal
from core.tokens.service import Tokens

SCHEME = "bearer"


def bearer(header: str | None) -> str | None:
    """The token in an Authorization header; None where there is no bearer token in it."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == SCHEME else None


def from_connection(payload: Mapping[str, Any]) -> str | None:
    """The token in a connection_init payload: `Authorization: Bearer …` in any case, or `token`."""
    for key, value in payload.items():
        if isinstance(value, str) and key.lower() == "authorization":
            return bearer(value)
        if isinstance(value, str) and key == "token":
            return value
    return None


async def authenticate(tokens: Tokens, secret: str | None) -> Principal:
    """Raises Unauthenticated."""
    if secret is None:
        raise Unauthenticated(
            "this needs a token",
            hint="send the header Authorization: Bearer …; the embedded server keeps its token in "
            "$MLLM_HOME/admin.token",
        )
    return await tokens.authenticate(secret)
