"""The command line's reference: what `--help` says of each verb, without the options all share."""

import os
import re
from collections.abc import Iterator
from typing import Any

import typer
from mllm_client.cli import app

WIDTH = 80
SHARED = ("-o, --output", "--server", "--token", "--no-color", "--help")


def reference() -> str:
    """A heading and the help of every verb, in the order in which `mllm --help` lists them."""
    # Both decide how wide typer writes, whatever terminal this runs in.
    os.environ.update(COLUMNS=str(WIDTH), TERMINAL_WIDTH=str(WIDTH), NO_COLOR="1")
    root = typer.main.get_command(app.root)
    context = _context(root, "mllm", None)
    texts = [_block("Options of every verb", [_shared(root.get_help(context))])]
    texts += [_block(f"mllm {name}", helps) for name, helps in _verbs(root, context)]
    return "\n".join(texts)


def _verbs(root: Any, context: Any) -> Iterator[tuple[str, list[str]]]:
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        own = _context(command, name, context)
        if not hasattr(command, "list_commands"):
            yield name, [_without_shared(command.get_help(own))]
            continue
        yield (
            name,
            [
                _without_shared(verb.get_help(_context(verb, each, own)))
                for each in command.list_commands(own)
                for verb in [command.get_command(own, each)]
            ],
        )


def _context(command: Any, name: str, parent: Any) -> Any:
    return command.context_class(command, info_name=name, parent=parent, terminal_width=WIDTH)


def _block(title: str, helps: list[str]) -> str:
    quoted = "\n".join(f"```text\n{text}\n```\n" for text in helps)
    return f"## {title}\n\n{quoted}"


def _shared(text: str) -> str:
    """The options themselves, from the help of the root."""
    wanted = [line for line in text.splitlines() if line.lstrip().startswith(SHARED)]
    return "\n".join(line.removeprefix("  ") for line in wanted)


def _without_shared(text: str) -> str:
    kept = [line for line in text.splitlines() if not line.lstrip().startswith(SHARED)]
    return re.sub(r"\n\nOptions:$", "", "\n".join(kept).strip())
