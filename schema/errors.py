"""Mistakes of the caller, as part of a payload."""

import strawberry

from core.errors import DomainError
from schema.enums import ErrorCode


@strawberry.type(
    description="A mistake of the caller, in the payload of the mutation that it made."
)
class UserError:
    field: list[str] | None = strawberry.field(
        description='Path into the arguments, e.g. ["input","target"]. Null: none in particular.'
    )
    code: ErrorCode = strawberry.field(description="What kind of mistake.")
    message: str = strawberry.field(description="What is wrong, for people.")
    hint: str | None = strawberry.field(description="What to do about it. Null: nothing is known.")


@strawberry.interface(description="What a mutation answers. Empty userErrors: it was done.")
class Payload:
    user_errors: list[UserError] = strawberry.field(description="Why it was not done.")


def user_errors(errors: list[DomainError]) -> list[UserError]:
    return [UserError(field=e.field, code=e.code, message=e.message, hint=e.hint) for e in errors]
