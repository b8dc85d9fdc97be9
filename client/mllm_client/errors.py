"""What can go wrong between a program and its mllm server.

MllmError(message, hint)
├── Unauthenticated        no token, or one the server does not know (HTTP 401, close code 4401)
├── Forbidden              the token lacks a scope (HTTP 403, close code 4403)
├── Unreachable            no server, no answer, or an answer that is not GraphQL
├── GraphQLFailure         top-level errors of an answer: code, request id, partial data
├── UserErrors             userErrors of a mutation's payload: what the caller can correct
├── BadServerUrl           the address is no http(s) URL, or carries a secret
└── TokenFileRefused       the stored token may have been read by others
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class MllmError(Exception):
    """Base of all. `hint` says what to do next; None: nothing better than the message is known."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Unauthenticated(MllmError):
    """The server does not know who is asking."""


class Forbidden(MllmError):
    """The server knows who is asking and does not allow it."""


class Unreachable(MllmError):
    """The server gave no usable answer. Trying again later may help."""


class BadServerUrl(MllmError):
    """The address of the server cannot be used."""


class TokenFileRefused(MllmError):
    """The token file is not private to its user, so the token is not used."""


class GraphQLFailure(MllmError):
    """The answer has top-level errors.

    `code` is `extensions.code` of the first error (None: the server gave none), `request_id` names
    the request in the server's logs, `data` is the part of the answer that could be computed, if
    any, `errors` are all errors as sent.
    """

    def __init__(
        self, errors: Sequence[Mapping[str, Any]], *, data: Mapping[str, Any] | None = None
    ) -> None:
        first = errors[0] if errors else {}
        extensions = first.get("extensions") or {}
        super().__init__(str(first.get("message", "the server reported an error")))
        self.code: str | None = extensions.get("code")
        self.request_id: str | None = extensions.get("requestId")
        self.hint = extensions.get("hint")
        if self.hint is None and self.request_id:
            self.hint = f"the server's log tells more under request id {self.request_id}"
        self.errors = list(errors)
        self.data = data


@dataclass(frozen=True, slots=True)
class UserError:
    """One mistake.

    `field` is the path into the arguments; None: it belongs to no single argument.
    """

    field: tuple[str, ...] | None
    code: str
    message: str
    hint: str | None


class UserErrors(MllmError):
    """A mutation was refused and changed nothing.

    `errors` is never empty; `payload` is the payload as sent.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self.errors = [
            UserError(
                field=tuple(error["field"]) if error.get("field") else None,
                code=error["code"],
                message=error["message"],
                hint=error.get("hint"),
            )
            for error in payload["userErrors"]
        ]
        self.payload = payload
        super().__init__(
            "; ".join(error.message for error in self.errors), hint=self.errors[0].hint
        )


TOKEN_HINT = "give a token with --token or MLLM_TOKEN"  # noqa: S105 — advice, not a secret
SCOPE_HINT = "use a token with the needed scope"


def failure(
    errors: Sequence[Mapping[str, Any]], *, data: Mapping[str, Any] | None = None
) -> MllmError:
    """The error that stands for the top-level errors of an answer."""
    found = GraphQLFailure(errors, data=data)
    match found.code:
        case "UNAUTHENTICATED":
            return Unauthenticated(found.message, hint=found.hint or TOKEN_HINT)
        case "FORBIDDEN":
            return Forbidden(found.message, hint=found.hint or SCOPE_HINT)
        case _:
            return found


def refused(status: int, reason: str) -> MllmError:
    """The error for an HTTP status without a GraphQL body, or for a WebSocket close code."""
    match status:
        case 401 | 4401:
            return Unauthenticated("the server asks for a valid token", hint=TOKEN_HINT)
        case 4403:
            return Forbidden(
                "the server refuses this token", hint="use one that it knows, with the needed scope"
            )
        case 403:
            return Forbidden("the server does not allow this", hint=SCOPE_HINT)
        case _:
            return Unreachable(f"the server answered {status} {reason}".rstrip())


def answer(body: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a GraphQL answer.

    Raises GraphQLFailure, Unauthenticated or Forbidden on top-level errors, UserErrors when a
    payload was refused.
    """
    data = body.get("data")
    if body.get("errors"):
        raise failure(body["errors"], data=data)
    if not isinstance(data, dict):
        raise Unreachable("the server's answer has neither data nor errors")
    for payload in data.values():
        if isinstance(payload, dict) and payload.get("userErrors"):
            raise UserErrors(payload)
    return data
