"""`mllm status`: whether the server is well."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mllm_client._generated.documents import SYSTEM
from mllm_client._lazy import lazy
from mllm_client.cli import errors, output, units
from mllm_client.cli.context import Cli, single, verb

if TYPE_CHECKING:
    from mllm_client.cli import tables
else:
    tables = lazy("mllm_client.cli.tables")

app = single()


@verb(app, "status")
def status(cli: Cli) -> int:
    """Whether the server is well.

    Shows version, parts, workers, queue and storage. The exit code is 1 if a part fails.
    """
    system = cli.ask(SYSTEM)
    cli.show(system, lambda: print_system(system, url=cli.server().url))
    failing = [part["name"] for part in system["subsystems"] if part["state"] == "FAIL"]
    if not failing:
        return errors.OK
    errors.say(f"not well: {', '.join(failing)}", None)
    return errors.FAILED


def print_system(system: Mapping[str, Any], *, url: str) -> None:
    counts = system["jobCounts"] if isinstance(system["jobCounts"], dict) else {}
    output.pairs(
        [
            ("server", url),
            ("version", f"{system['version']} ({system['mode']})"),
            ("uptime", units.span(units.seconds(system["uptime"]))),
            ("workers", system["workers"]),
            ("queue", system["queueDepth"]),
            ("jobs", ", ".join(f"{n} {name.lower()}" for name, n in counts.items() if n) or "none"),
        ]
    )
    column = tables.Column
    output.line("")
    output.table(
        [
            column("PART", lambda part: part["name"], whole=True),
            column("STATE", lambda part: part["state"], whole=True),
            column("MESSAGE", lambda part: part["message"]),
        ],
        system["subsystems"],
    )
    if system["storage"]:
        output.line("")
        output.table(
            [
                column("LOCATION", lambda one: one["location"], whole=True),
                column("USED", lambda one: units.size(one["used"]), right=True),
                column("RESERVED", lambda one: units.size(one["reserved"]), right=True),
                column("FREE", lambda one: units.size(one["available"]), right=True),
                column("CAPACITY", lambda one: units.size(one["capacity"]), right=True),
                column("ROOT", lambda one: one["root"]),
            ],
            system["storage"],
        )
