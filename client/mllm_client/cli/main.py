"""Entry point of `mllm`. Answers `--version` before anything else is imported."""

import sys
from typing import TYPE_CHECKING

from mllm_client._lazy import lazy
from mllm_client._version import __version__

if TYPE_CHECKING:
    from mllm_client.cli import app
else:
    app = lazy("mllm_client.cli.app")


def main() -> int:
    """Runs the command line of this process and returns its exit code.

    0 done · 1 failed · 2 wrong usage, also when only the server could tell · 130 interrupted.
    """
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"mllm {__version__}\n")
        return 0
    return app.run(arguments)
