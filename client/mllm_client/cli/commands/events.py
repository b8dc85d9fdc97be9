"""`mllm events`: what happened, and what happens."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mllm_client._generated.documents import EVENT_ADDED, EVENTS
from mllm_client._lazy import lazy
from mllm_client.cli import ids, output, units
from mllm_client.cli.context import Cli, single, verb
from mllm_client.cli.output import Format

if TYPE_CHECKING:
    from mllm_client.cli import watch
else:
    watch = lazy("mllm_client.cli.watch")

app = single()


@verb(app, "events")
def events(
    cli: Cli,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and show new ones.")] = False,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="GLOB", help="Only these, like 'job.*'.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="ID", help="Only those after this event.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 50,
) -> None:
    """Events of the server; with --follow until Ctrl-C."""
    start = ids.event_id(after) if after else None
    if follow:
        variables = {"types": types or None, "after": start}
        given = {name: value for name, value in variables.items() if value is not None}
        watch.each(cli.server(), EVENT_ADDED, given, lambda item: print_item(cli, item))
        return
    found = [
        event
        for page in cli.pages(
            lambda first, cursor: cli.ask(
                EVENTS, types=types or None, first=first, after=cursor or start
            ),
            limit=limit,
        )
        for event in page["nodes"]
    ]
    cli.show(found, lambda: print_events(found))


def print_item(cli: Cli, item: Mapping[str, Any]) -> None:
    """One entry of the feed, or the notice that some are missing."""
    if cli.format is not Format.TABLE:
        output.streamed(item, cli.format)
    elif item["__typename"] == "EventGap":
        since = f"between {item['from']} and" if item["from"] else "before"
        output.note(f"events {since} {item['to']} are missing: {item['reason']}", kind="warning")
    else:
        output.line(event_line(item))


def print_events(found: list[Any]) -> None:
    for event in found:
        output.line(event_line(event))


def event_line(event: Mapping[str, Any]) -> str:
    """Time, type, subject, and what the line holds of the detail; ids are never cut."""
    start = f"{units.stamp(event['at'])}  {event['type']:<18}  {event['subjectId'] or '-'}"
    room = output.columns() - len(start) - 2
    detail = json.dumps(event["detail"], ensure_ascii=False) if event["detail"] else ""
    if room < 8 or not detail:
        return start
    return f"{start}  {detail if len(detail) <= room else detail[: room - 1] + '…'}"
