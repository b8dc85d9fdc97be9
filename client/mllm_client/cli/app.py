"""The root command: verbs that are imported when used, plugins, and the error edge."""

import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mllm_client._lazy import lazy
from mllm_client._version import __version__
from mllm_client.cli import errors, output, plugins
from mllm_client.cli.context import GROUP_OPTIONS, with_globals

if TYPE_CHECKING:
    from typer import _completion_classes as completion_classes
else:
    completion_classes = lazy("typer._completion_classes")

VERBS = ("weights", "jobs", "events", "status", "version", "api", "completion")
COMPLETION_VARIABLE = "_MLLM_COMPLETE"


def handed_on(given: dict[str, Any]) -> dict[str, str]:
    """What a plugin sees of the options before its name, so that it asks the same server."""
    environment = dict(os.environ)
    if given["server"]:
        # A token of the environment belongs to the server of the environment.
        environment.pop("MLLM_TOKEN", None)
        environment["MLLM_SERVER"] = given["server"]
    if given["token"]:
        environment["MLLM_TOKEN"] = given["token"]
    return environment


class Verbs(TyperGroup):
    """Imports `mllm_client.cli.commands.<verb>` when `<verb>` is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"mllm_client.cli.commands.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in VERBS and not args[0].startswith("-"):
            plugins.run(args[0], args[1:], known=VERBS, environment=handed_on(ctx.params))
        return super().resolve_command(ctx, args)


root = typer.Typer(cls=Verbs, name="mllm", rich_markup_mode=None, add_completion=False)


def print_version(wanted: bool) -> None:
    """Answers `--version` wherever it stands among the options."""
    if wanted:
        output.line(f"mllm {__version__}")
        raise typer.Exit


def describe(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True),
    ] = False,
) -> None:
    """Control plane for self-hosted language models.

    Finds the server by --server, MLLM_SERVER, or the one that runs on this machine.
    """


root.callback(**GROUP_OPTIONS)(with_globals(describe))


def run(arguments: list[str]) -> int:
    """Runs one command line and turns whatever happens into an exit code."""
    if COMPLETION_VARIABLE in os.environ:
        completion_classes.completion_init()
    command = typer.main.get_command(root)
    try:
        code = command.main(
            args=arguments or ["--help"],
            prog_name="mllm",
            complete_var=COMPLETION_VARIABLE,
            standalone_mode=False,
        )
        sys.stdout.flush()
    except KeyboardInterrupt:
        return errors.INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough; without this the interpreter complains again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return errors.FAILED
    except Exception as error:  # noqa: BLE001 — the edge of the process: a line, not a traceback
        if os.environ.get("MLLM_DEBUG"):
            traceback.print_exc()
        return errors.report(error)
    return code if isinstance(code, int) else errors.OK
