"""`mllm version`: the version of this program; `mllm status` tells the server's."""

from mllm_client._version import __version__
from mllm_client.cli import output
from mllm_client.cli.context import Cli, single, verb

app = single()


@verb(app, "version")
def version(cli: Cli) -> None:
    """The version of this program."""
    cli.show({"version": __version__}, lambda: output.line(f"mllm {__version__}"))
