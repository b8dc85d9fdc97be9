"""`mllm weights`: installing weights from the Hub and looking at what is installed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mllm_client._generated.documents import ALL_WEIGHTS, STORAGE, WEIGHTS, WEIGHTS_INSTALL
from mllm_client._lazy import lazy
from mllm_client.cli import ids, output, weights_view
from mllm_client.cli.context import Cli, noun, verb
from mllm_client.errors import MllmError

if TYPE_CHECKING:
    from mllm_client.cli.commands import jobs
else:
    jobs = lazy("mllm_client.cli.commands.jobs")

app = noun("Install weights from the Hub; see what is installed.")
Location = Annotated[str | None, typer.Option("--location", help="Which volume of the server.")]


@verb(app, "install")
def install(
    cli: Cli,
    repo: Annotated[str, typer.Argument(metavar="REPO", help="Repository, organisation/name.")],
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="PATH", help="Folder below the volume.")
    ] = None,
    location: Location = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", metavar="GLOB", help="Only these files.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Not these files.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is installed there.")
    ] = False,
    priority: Annotated[int, typer.Option("--priority", help="Higher goes first.")] = 0,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", metavar="KEY", help="Same key, same job."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it ends.")] = False,
) -> int | None:
    """Install a model's weights; the server does it as a job that survives this command."""
    payload = cli.ask(
        WEIGHTS_INSTALL,
        hubRepo=ids.repo_id(repo),
        revision=revision,
        target=target,
        location=location,
        allow=include or None,
        ignore=exclude or None,
        overwrite=overwrite,
        priority=priority,
        idempotencyKey=idempotency_key,
    )
    job = payload["job"]
    if payload["joined"]:
        output.note("joined the install that is under way")
    if not watch:
        cli.show(payload, lambda: weights_view.print_install(payload))
        output.note(f"follow it with `mllm jobs watch {job['id']}`", kind="hint")
        return None
    output.note(f"{job['id']}  {payload['storageUri']}")
    return jobs.follow_to_end(
        cli, job["id"], lambda ended: show_ended(cli, payload | {"job": ended})
    )


@verb(app, "list")
def list_weights(
    cli: Cli,
    location: Location = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 100,
) -> None:
    """What is installed."""
    answers = list(
        cli.pages(
            lambda first, after: cli.ask(ALL_WEIGHTS, location=location, first=first, after=after),
            limit=limit,
        )
    )
    weights = [one for answer in answers for one in answer["nodes"]]
    cli.show(weights, lambda: weights_view.print_weights(weights, answers[0]))


@verb(app, "info")
def info(
    cli: Cli,
    path: Annotated[str, typer.Argument(metavar="PATH", help="As in `mllm weights list`.")],
    location: Location = None,
) -> None:
    """One installation and its files with their hashes."""
    found: dict[str, Any] = {}

    def ask(first: int, after: str | None) -> Any:
        answer = cli.ask(WEIGHTS, path=path, location=location, filesFirst=first, filesAfter=after)
        if answer is None:
            raise MllmError(f"nothing is installed at {path}", hint="see `mllm weights list`")
        found.update(answer)
        return answer["files"]

    files = [file for page in cli.pages(ask, limit=None) for file in page["nodes"]]
    found["files"] = {"nodes": files, "pageInfo": {"hasNextPage": False, "endCursor": None}}
    cli.show(found, lambda: weights_view.print_info(found, files))


@verb(app, "usage")
def usage(cli: Cli, location: Location = None) -> None:
    """How full the volume is."""
    storage = cli.ask(STORAGE, location=location)
    cli.show(storage, lambda: weights_view.print_usage(storage))


def show_ended(cli: Cli, payload: dict[str, Any]) -> None:
    """The payload with the job's last state; a table only shows what was installed."""
    completed = payload["job"]["state"] == "COMPLETED"
    cli.show(payload, lambda: weights_view.print_install(payload) if completed else None)
