"""`@requires(scope:)`: declares the scope that a field needs, and enforces it, in one object."""

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from schema.enums import Scope


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.OBJECT],
    name="requires",
    description="The caller must hold this scope: on a field to ask for it, on a type to see it "
    "wherever it appears. WRITE implies READ; ADMIN implies both.",
)
class RequiresDirective:
    scope: Scope


class Requires(FieldExtension):
    """Every query and subscription needs an authenticated caller anyway (READ); this asks for
    more.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def apply(self, field: StrawberryField) -> None:
        others = [d for d in field.directives if not isinstance(d, RequiresDirective)]
        field.directives = [*others, RequiresDirective(scope=self.scope)]  # once for each schema

    def resolve(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        info.context.principal.require(self.scope)
        return next_(source, info, **kwargs)

    # Not `async def`: a subscription's generator must be handed on, not awaited.
    def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        info.context.principal.require(self.scope)
        return next_(source, info, **kwargs)
