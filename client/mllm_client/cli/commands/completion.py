"""`mllm completion`: the script that teaches a shell to complete `mllm`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mllm_client._lazy import lazy
from mllm_client.cli import app as root
from mllm_client.cli import output
from mllm_client.cli.context import Cli, single, verb

if TYPE_CHECKING:
    from typer import _completion_shared as shells
else:
    shells = lazy("typer._completion_shared")

app = single()


class Shell(StrEnum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@verb(app, "completion")
def completion(cli: Cli, shell: Annotated[Shell, typer.Argument(help="Which shell.")]) -> None:
    """Print the completion script of a shell.

    Use it like `source <(mllm completion bash)`.
    """
    script = shells.get_completion_script(
        prog_name="mllm", complete_var=root.COMPLETION_VARIABLE, shell=shell.value
    )
    cli.show({"shell": shell.value, "script": script}, lambda: output.line(script))
