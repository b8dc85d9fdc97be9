"""Query, Mutation and Subscription, merged from the nouns."""

from collections.abc import Callable, Iterable, Sequence

import graphql
import strawberry
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types import ExecutionContext

from resolvers import nodes
from schema.feed import FeedQuery, FeedSubscription
from schema.jobs import JobsMutation, JobsQuery, JobsSubscription
from schema.nodes import Node
from schema.scalars import SCALARS
from schema.system import SystemQuery
from schema.weights import WeightsMutation, WeightsQuery


@strawberry.type
class NodeQuery:
    @strawberry.field(
        graphql_type=Node | None, description="Anything by its id. Null: it is not there."
    )
    async def node(self, info: strawberry.Info, id: strawberry.ID) -> nodes.Row | None:
        return await nodes.find(info.context, id)


Query = merge_types("Query", (NodeQuery, WeightsQuery, JobsQuery, FeedQuery, SystemQuery))
Mutation = merge_types("Mutation", (WeightsMutation, JobsMutation))
Subscription = merge_types("Subscription", (JobsSubscription, FeedSubscription))


class QuietSchema(strawberry.Schema):
    """Errors are told and logged in one place, the server's extension: most are mistakes of
    callers.
    """

    def process_errors(
        self, errors: list[graphql.GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Strawberry's own would log each of them with a trace."""


def build(extensions: Sequence[Callable[[], SchemaExtension]] = ()) -> strawberry.Schema:
    """The executable schema; `extensions` come from the server (limits, error masking)."""
    schema = QuietSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        extensions=list(extensions),
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    _forget_null_defaults(schema._schema)
    return schema


def _forget_null_defaults(schema: graphql.GraphQLSchema) -> None:
    """`= None` in Python means "may be left out", not "the default is null" as Strawberry would
    print it.
    """
    for type_ in schema.type_map.values():
        if isinstance(type_, graphql.GraphQLInputObjectType):
            _forget(type_.fields.values())
        elif isinstance(type_, graphql.GraphQLObjectType | graphql.GraphQLInterfaceType):
            for field in type_.fields.values():
                _forget(field.args.values())


def _forget(
    inputs: Iterable[graphql.GraphQLArgument | graphql.GraphQLInputField],
) -> None:
    for given in inputs:
        if given.default_value is None:
            given.default_value = graphql.Undefined
