"""The Node interface. Its types are found by the prefix of the id (resolvers/nodes.py)."""

import strawberry


@strawberry.interface(
    description="Anything with a globally unique id: a prefixed ULID such as job_01j… or wts_01j…"
)
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque to programs; never shortened.")
