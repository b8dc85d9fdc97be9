"""`mllm events`: what happened, and what happens."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mllm_client._generated.documents import EVENT_ADDED, EVENTS
from mllm_client._lazy import lazy
from mllm_client.cli import errors, events_view, ids, output, times
from mllm_client.cli.context import Cli, single, verb
from mllm_client.cli.output import Format

if TYPE_CHECKING:
    from mllm_client.cli import watch
else:
    watch = lazy("mllm_client.cli.watch")

app = single()
LAST = 50  # shown if nothing says where to begin
MOST = 1000


@verb(app, "events")
def events(
    cli: Cli,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and show new ones.")] = False,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="GLOB", help="Only these, like 'job.*'.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="How long ago, like 1h; or an ISO 8601 time."),
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="ID", help="Only those after this event.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=MOST, help="At most so many.")
    ] = None,
) -> None:
    """Events of the server, oldest first; times are UTC.

    The last 50, or with --since or --after the first 1000 from there. With --follow all from there
    or from now on, until Ctrl-C; after a lost connection it goes on where it was.
    """
    if since and after:
        raise errors.Misuse("--since and --after both say where to begin", hint="choose one")
    start, cursor = times.since(since) if since else None, ids.event_id(after) if after else None
    given = {name: value for name, value in {"types": types, "after": cursor}.items() if value}
    if not follow:
        listed(cli, given, start, limit or (MOST if start or cursor else LAST))
    elif limit is not None:
        raise errors.Misuse("--limit does not go with --follow")
    else:
        watch.each(
            cli.server(), EVENT_ADDED, given, lambda item: print_item(cli, item), since=start
        )


def listed(cli: Cli, given: dict[str, Any], since: datetime | None, limit: int) -> None:
    """Prints events page by page; where more follow, it says how to go on."""
    found: list[Any] = []
    last: Mapping[str, Any] = {}
    for last in pages(cli, given, since, limit):
        if cli.format is Format.TABLE:
            for event in last["nodes"]:
                output.line(events_view.line(event))
        else:
            found += last["nodes"]
    if cli.format is not Format.TABLE:
        output.structured(found, cli.format)
    if last["pageInfo"]["hasNextPage"]:
        output.note(f"more follow; go on with `--after {last['pageInfo']['endCursor']}`")


def pages(cli: Cli, given: dict[str, Any], since: datetime | None, limit: int) -> Iterator[Any]:
    moment = since.isoformat() if since else None
    return cli.pages(
        lambda first, cursor: cli.ask(
            EVENTS, **{**given, "after": cursor or given.get("after")}, since=moment, first=first
        ),
        limit=limit,
    )


def print_item(cli: Cli, item: Mapping[str, Any]) -> None:
    """One entry of the feed; the notice that some are missing is told to people as well."""
    if item["__typename"] == "EventGap":
        output.note(events_view.gap(item), kind="warning")
    if cli.format is not Format.TABLE:
        output.streamed(item, cli.format)
    elif item["__typename"] == "Event":
        output.line(events_view.line(item))
