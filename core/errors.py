"""Mistakes and refusals of the domain, as one tree.

DomainError                  in a mutation → userErrors of the payload; in a query → top level
├── Invalid, Required        INVALID REQUIRED
├── NotFound, AlreadyExists  NOT_FOUND ALREADY_EXISTS
├── Conflict, InUse          CONFLICT IN_USE
├── PolicyDenied, Gated      POLICY_DENIED GATED
├── NoSpace                  NO_SPACE
├── Corrupt                  CORRUPT
└── Unavailable              UNAVAILABLE, retryable
RequestError                 → top-level errors[].extensions.code
├── Unauthenticated          UNAUTHENTICATED
├── Forbidden                FORBIDDEN
├── BadId, BadCursor         BAD_ID BAD_CURSOR
└── LimitExceeded            LIMIT_EXCEEDED
Anything else is a defect: masked, logged with its trace.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    CONFLICT = "CONFLICT"
    IN_USE = "IN_USE"
    POLICY_DENIED = "POLICY_DENIED"
    GATED = "GATED"
    NO_SPACE = "NO_SPACE"
    CORRUPT = "CORRUPT"
    TIMEOUT = "TIMEOUT"
    CRASHED = "CRASHED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


class DomainError(Exception):
    """What a caller did wrong, or what the world does not allow.

    `field` is the path into the arguments of the use case, `hint` what the caller can do about it,
    `retryable` whether the same call may succeed later without any change.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, field: Sequence[str] | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = list(field) if field is not None else None
        self.hint = hint


class Invalid(DomainError):
    code = ErrorCode.INVALID


class Required(DomainError):
    code = ErrorCode.REQUIRED


class NotFound(DomainError):
    code = ErrorCode.NOT_FOUND


class AlreadyExists(DomainError):
    code = ErrorCode.ALREADY_EXISTS


class Conflict(DomainError):
    code = ErrorCode.CONFLICT


class InUse(DomainError):
    code = ErrorCode.IN_USE


class PolicyDenied(DomainError):
    code = ErrorCode.POLICY_DENIED


class Gated(DomainError):
    code = ErrorCode.GATED


class NoSpace(DomainError):
    code = ErrorCode.NO_SPACE


class Corrupt(DomainError):
    code = ErrorCode.CORRUPT


class Unavailable(DomainError):
    code = ErrorCode.UNAVAILABLE
    retryable = True


class RequestError(Exception):
    """A request that cannot be answered at all."""

    code: ClassVar[str]

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Unauthenticated(RequestError):
    code = "UNAUTHENTICATED"


class Forbidden(RequestError):
    code = "FORBIDDEN"


class BadId(RequestError):
    code = "BAD_ID"


class BadCursor(RequestError):
    code = "BAD_CURSOR"


class LimitExceeded(RequestError):
    code = "LIMIT_EXCEEDED"
