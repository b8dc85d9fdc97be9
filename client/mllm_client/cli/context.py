"""What every verb gets: where to ask, and how to answer. Adds the global options to each verb."""

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mllm_client._lazy import lazy
from mllm_client.cli import output
from mllm_client.cli.output import Format
from mllm_client.document import Document

if TYPE_CHECKING:
    from mllm_client import config, errors, transport
else:
    config = lazy("mllm_client.config")
    errors = lazy("mllm_client.errors")
    transport = lazy("mllm_client.transport")

GROUP_OPTIONS: dict[str, Any] = {"invoke_without_command": False}
MAX_PAGE = 100  # the largest page the server gives


@dataclass(frozen=True, slots=True)
class Globals:
    """The global options as given; None: not given."""

    output: Format | None = None
    server: str | None = None
    token: str | None = None
    no_color: bool | None = None

    def over(self, outer: "Globals") -> "Globals":
        """These options, and where they are missing those given further left."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(outer, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Cli:
    """The command line at hand. Knows its options, finds the server when first asked."""

    given: Globals

    @property
    def format(self) -> Format:
        return self.given.output or Format.TABLE

    def server(self) -> "config.Server":
        return config.resolve(self.given.server, self.given.token)

    def ask(self, document: Document, **variables: Any) -> Any:
        """The answer to a stored query or mutation. Variables that are None are not sent."""
        sent = {name: value for name, value in variables.items() if value is not None}
        body = transport.post(self.server(), document.text, variables=sent, operation=document.name)
        return errors.answer(body)[document.root]

    def pages(self, ask: Callable[[int, str | None], Any], *, limit: int | None) -> Iterator[Any]:
        """Connections page by page until `limit` nodes (None: all).

        `ask` gets a size and a cursor.
        """
        left, after = limit, None
        while True:
            page = ask(MAX_PAGE if left is None else min(left, MAX_PAGE), after)
            yield page
            left = None if left is None else left - len(page["nodes"])
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"] or (left is not None and left <= 0):
                return

    def show(self, value: Any, table: Callable[[], None]) -> None:
        """Prints the whole `value` as JSON or YAML, or calls `table`, as the user asked."""
        if self.format is Format.TABLE:
            table()
        else:
            output.structured(value, self.format)


def global_parameters() -> list[inspect.Parameter]:
    """The global options as parameters that typer understands."""
    options: dict[str, tuple[Any, Any]] = {
        "output": (Format | None, typer.Option("--output", "-o", help="How to print the answer.")),
        "server": (str | None, typer.Option("--server", metavar="URL", help="Which server.")),
        "token": (str | None, typer.Option("--token", metavar="TOKEN", help="Who is asking.")),
        "no_color": (
            bool | None,
            typer.Option("--no-color", help="Plain text.", show_default=False),
        ),
    }
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
        )
        for name, (kind, option) in options.items()
    ]


def with_globals(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with the global options, which are kept in the context for what follows."""
    names = [field.name for field in fields(Globals)]

    @functools.wraps(function)
    def run(ctx: typer.Context, **arguments: Any) -> Any:
        own = Globals(**{name: arguments.pop(name) for name in names})
        ctx.obj = own.over(ctx.obj if isinstance(ctx.obj, Globals) else Globals())
        if ctx.obj.no_color:
            output.forbid_color()
        if "cli" in inspect.signature(function).parameters:
            arguments["cli"] = Cli(ctx.obj)
        return function(**arguments)

    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    signature = inspect.signature(function, eval_str=True)
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values()
        if parameter.name != "cli"
    ]
    parameters = [context, *kept, *global_parameters()]
    run.__dict__["__signature__"] = signature.replace(parameters=parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def noun(summary: str) -> typer.Typer:
    """A group of verbs that also takes the global options."""
    group = typer.Typer(help=summary, rich_markup_mode=None, add_completion=False)

    def describe() -> None:
        pass

    describe.__doc__ = summary
    group.callback(**GROUP_OPTIONS)(with_globals(describe))
    return group


def single() -> typer.Typer:
    """A verb that stands alone, without a noun."""
    return typer.Typer(rich_markup_mode=None, add_completion=False)


def verb(group: typer.Typer, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a function as a verb.

    Its parameter `cli` gets the Cli; what it returns is the exit code.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        group.command(name)(with_globals(function))
        return function

    return register
