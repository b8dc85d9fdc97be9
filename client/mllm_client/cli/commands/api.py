"""`mllm api`: any GraphQL document, for what has no verb.

The document is parsed here, so gql's parser is imported.
"""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mllm_client import transport
from mllm_client._lazy import lazy
from mllm_client.cli import errors, output
from mllm_client.cli.context import Cli, single, verb
from mllm_client.cli.output import Format
from mllm_client.document import Document
from mllm_client.errors import failure

if TYPE_CHECKING:
    import graphql
    from graphql import OperationDefinitionNode

    from mllm_client.cli import watch
else:
    graphql = lazy("graphql")
    watch = lazy("mllm_client.cli.watch")

app = single()


@verb(app, "api")
def api(
    cli: Cli,
    document: Annotated[str, typer.Argument(metavar="GRAPHQL", help="A document; - reads it.")],
    variables: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="JSON, else text.")
    ] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", metavar="NAME", help="Which one, if several.")
    ] = None,
) -> None:
    """Send any GraphQL document.

    Prints the data, of a subscription each answer on a line of its own.
    """
    text = sys.stdin.read() if document == "-" else document
    chosen = choose(text, operation)
    name = chosen.name.value if chosen.name else None
    given = dict(variable(one) for one in variables or ())
    form = Format.YAML if cli.format is Format.YAML else Format.JSON
    if chosen.operation is graphql.OperationType.SUBSCRIPTION:
        streamed = Document(name=name or "", kind="subscription", root="", sha256="", text=text)
        watch.each(cli.server(), streamed, given, lambda data: output.streamed(data, form))
        return
    body = transport.post(cli.server(), text, variables=given, operation=name)
    if body.get("data") is not None:
        output.structured(body["data"], form)
    if body.get("errors"):
        raise failure(body["errors"], data=body.get("data"))


def choose(text: str, operation: str | None) -> "OperationDefinitionNode":
    """The operation that is meant.

    Raises Misuse for a document that does not parse or is ambiguous.
    """
    try:
        definitions = graphql.parse(text).definitions
    except graphql.GraphQLSyntaxError as error:
        at = error.locations[0] if error.locations else None
        where = f" (line {at.line}, column {at.column})" if at else ""
        raise errors.Misuse(error.message + where) from error
    operations = [node for node in definitions if isinstance(node, graphql.OperationDefinitionNode)]
    if operation is not None:
        operations = [node for node in operations if node.name and node.name.value == operation]
    if len(operations) != 1:
        raise errors.Misuse(
            f"the document has {len(operations)} operations of that name"
            if operation
            else f"the document has {len(operations)} operations",
            hint="choose one with --operation",
        )
    return operations[0]


def variable(text: str) -> tuple[str, Any]:
    """`name=value`; the value is JSON if it can be, else text. Raises Misuse."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise errors.Misuse(f"{text!r} is not name=value", hint="like --var first=5")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
