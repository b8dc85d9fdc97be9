"""`mllm jobs`: what the server is doing and has done."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mllm_client._generated.documents import (
    JOB,
    JOB_CANCEL,
    JOB_LOG_ADDED,
    JOB_LOGS,
    JOB_PAUSE,
    JOB_RESUME,
    JOB_RETRY,
    JOBS,
    JOBS_PURGE,
)
from mllm_client._generated.enums import JobKind, JobState
from mllm_client._lazy import lazy
from mllm_client.cli import errors, ids, jobs_view, output, times, units
from mllm_client.cli.context import Cli, noun, verb
from mllm_client.cli.output import Format
from mllm_client.document import Document
from mllm_client.errors import MllmError

if TYPE_CHECKING:
    from mllm_client.cli import watch
else:
    watch = lazy("mllm_client.cli.watch")

app = noun("What the server is doing and has done.")
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, job_…")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it ends.")]


class Ended(StrEnum):
    """The states of ended jobs, which may be purged."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@verb(app, "list")
def list_jobs(
    cli: Cli,
    state: Annotated[
        list[JobState] | None, typer.Option("--state", case_sensitive=False, help="Only these.")
    ] = None,
    kind: Annotated[
        list[JobKind] | None, typer.Option("--kind", case_sensitive=False, help="Only these.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 20,
) -> None:
    """Jobs, newest first."""
    filters = {
        "states": [one.value for one in state] if state else None,
        "kinds": [one.value for one in kind] if kind else None,
    }
    given = {name: value for name, value in filters.items() if value}
    answers = list(
        cli.pages(
            lambda first, after: cli.ask(JOBS, filter=given or None, first=first, after=after),
            limit=limit,
        )
    )
    jobs = [job for answer in answers for job in answer["nodes"]]
    cli.show(jobs, lambda: jobs_view.print_jobs(jobs, total=answers[0]["totalCount"]))


@verb(app, "get")
def get_job(cli: Cli, job_id: JobId) -> None:
    """One job and its files."""
    job = ask_job(cli, ids.job_id(job_id))
    cli.show(job, lambda: jobs_view.print_job(job))


@verb(app, "watch")
def watch_job(cli: Cli, job_id: JobId) -> int:
    """Follow a job until it ends; Ctrl-C leaves it running."""
    wanted = ids.job_id(job_id)
    return follow_to_end(cli, wanted, lambda job: cli.show(job, lambda: jobs_view.print_ended(job)))


@verb(app, "logs")
def job_logs(
    cli: Cli,
    job_id: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay until the job ends.")
    ] = False,
) -> None:
    """What a job wrote down."""
    wanted = ids.job_id(job_id)
    if follow:
        watch.each(
            cli.server(), JOB_LOG_ADDED, {"id": wanted}, lambda line: print_log_line(cli, line)
        )
        return
    kept: list[Any] = []
    for page in cli.pages(lambda first, after: ask_logs(cli, wanted, first, after), limit=None):
        if cli.format is Format.TABLE:
            for line in page["nodes"]:
                print_log_line(cli, line)
        else:
            kept += page["nodes"]
    if cli.format is not Format.TABLE:
        output.structured(kept, cli.format)


@verb(app, "cancel")
def cancel_job(cli: Cli, job_id: JobId) -> None:
    """Stop a job; what it has staged is removed."""
    change(cli, JOB_CANCEL, job_id)


@verb(app, "pause")
def pause_job(cli: Cli, job_id: JobId) -> None:
    """Stop a job for a while; what it has done is kept."""
    job = change(cli, JOB_PAUSE, job_id)
    output.note(f"go on with `mllm jobs resume {job['id']}`", kind="hint")


@verb(app, "resume")
def resume_job(cli: Cli, job_id: JobId) -> None:
    """Let a paused job go on where it was."""
    job = change(cli, JOB_RESUME, job_id)
    output.note(f"follow it with `mllm jobs watch {job['id']}`", kind="hint")


@verb(app, "retry")
def retry_job(cli: Cli, job_id: JobId, follow: Watch = False) -> int | None:
    """Try a failed or cancelled job again, as a new job."""
    old = ids.job_id(job_id)
    payload = cli.ask(JOB_RETRY, id=old)
    job = payload["job"]
    if not follow:
        cli.show(payload, lambda: jobs_view.print_retry(job))
        output.note(f"follow it with `mllm jobs watch {job['id']}`", kind="hint")
        return None
    output.note(f"{job['id']}  retry of {old}")
    return follow_to_end(
        cli,
        job["id"],
        lambda ended: cli.show(
            {**payload, "job": {**job, **ended}}, lambda: jobs_view.print_ended(ended)
        ),
    )


@verb(app, "purge")
def purge_jobs(
    cli: Cli,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="SPAN", help="Ended so long ago, like 12h or 7d."),
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", metavar="TIME", help="Ended before this ISO time.")
    ] = None,
    state: Annotated[
        list[Ended] | None,
        typer.Option("--state", case_sensitive=False, help="Only these; else all."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Remove ended jobs with their logs for good; their events stay."""
    states = [one.value for one in state] if state else None
    moment = ended_before(older_than, before)
    if not yes and not agreed(states, moment):
        errors.say("nothing is removed", None)
        return errors.FAILED
    payload = cli.ask(JOBS_PURGE, endedBefore=moment.isoformat(), states=states)
    count = payload["purgedCount"]
    cli.show(payload, lambda: output.line(f"{count} job{'' if count == 1 else 's'} removed"))
    return errors.OK


def change(cli: Cli, document: Document, job_id: str) -> Any:
    """Does something to a job, prints its state, returns it."""
    payload = cli.ask(document, id=ids.job_id(job_id))
    job = payload["job"]
    cli.show(payload, lambda: output.line(f"{job['id']}  {job['state']}"))
    return job


def ended_before(older_than: str | None, before: str | None) -> datetime:
    """The moment that one of the two options names. Raises Misuse."""
    match older_than, before:
        case str(), None:
            return times.ago(older_than)
        case None, str():
            return times.moment(before)
        case _:
            raise errors.Misuse(
                "say how old, with --older-than or with --before", hint="like --older-than 7d"
            )


def agreed(states: list[str] | None, moment: datetime) -> bool:
    """Whether the person at the terminal agrees. Raises Misuse when nobody is there."""
    if not output.attended():
        raise errors.Misuse("nobody is there to be asked", hint="--yes removes without asking")
    kinds = " and ".join(states).lower() if states else "ended"
    when = units.stamp(moment.isoformat())
    return output.confirmed(f"Remove all {kinds} jobs of before {when} with their logs?")


def ask_job(cli: Cli, job_id: str) -> Any:
    job = cli.ask(JOB, id=job_id)
    if job is None:
        raise MllmError(f"there is no job {job_id}", hint="see `mllm jobs list`")
    return job


def ask_logs(cli: Cli, job_id: str, first: int, after: str | None) -> Any:
    job = cli.ask(JOB_LOGS, id=job_id, first=first, after=after)
    if job is None:
        raise MllmError(f"there is no job {job_id}", hint="see `mllm jobs list`")
    return job["logs"]


def follow_to_end(cli: Cli, job_id: str, show: Callable[[dict[str, Any]], None]) -> int:
    """Watches a job, then calls `show` with its last state. Ctrl-C detaches."""
    last: dict[str, Any] = {}
    try:
        job = watch.job(cli.server(), job_id, last.update)
    except KeyboardInterrupt:
        detached(job_id, paused=last.get("state") == "PAUSED")
        return errors.INTERRUPTED
    show(job)
    return watch.outcome(job)


def detached(job_id: str, *, paused: bool) -> None:
    """Says that the job is there without its watcher, and how to go on."""
    output.note(f"detached: {job_id} {'stays paused' if paused else 'goes on'}")
    output.note(f"follow it with `mllm jobs watch {job_id}`", kind="hint")
    for name in ("resume" if paused else "pause", "cancel"):
        output.note(f"{name} it with `mllm jobs {name} {job_id}`", kind="hint")


def print_log_line(cli: Cli, line: Mapping[str, Any]) -> None:
    if cli.format is Format.TABLE:
        stage = f"{line['stage']}: " if line["stage"] else ""
        output.line(f"{units.stamp(line['at'])}  {line['level']:<7}  {stage}{line['message']}")
    else:
        output.streamed(line, cli.format)
