"""`mllm jobs`: what the server is doing and has done."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mllm_client._generated.documents import JOB, JOB_CANCEL, JOB_LOG_ADDED, JOB_LOGS, JOBS
from mllm_client._generated.enums import JobKind, JobState
from mllm_client._lazy import lazy
from mllm_client.cli import errors, ids, jobs_view, output, units
from mllm_client.cli.context import Cli, noun, verb
from mllm_client.cli.output import Format
from mllm_client.errors import MllmError

if TYPE_CHECKING:
    from mllm_client.cli import watch
else:
    watch = lazy("mllm_client.cli.watch")

app = noun("What the server is doing and has done.")
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, job_…")]


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
    kept: list[Any] = []
    after = None
    for page in cli.pages(lambda first, after: ask_logs(cli, wanted, first, after), limit=None):
        after = page["pageInfo"]["endCursor"] or after
        if follow or cli.format is Format.TABLE:
            for line in page["nodes"]:
                print_log_line(cli, line)
        else:
            kept += page["nodes"]
    if follow:
        variables = {"id": wanted, "after": after} if after else {"id": wanted}
        watch.each(cli.server(), JOB_LOG_ADDED, variables, lambda line: print_log_line(cli, line))
    elif cli.format is not Format.TABLE:
        output.structured(kept, cli.format)


@verb(app, "cancel")
def cancel_job(cli: Cli, job_id: JobId) -> None:
    """Stop a job; what it has staged is removed."""
    payload = cli.ask(JOB_CANCEL, id=ids.job_id(job_id))
    job = payload["job"]
    cli.show(payload, lambda: output.line(f"{job['id']}  {job['state']}"))


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


def follow_to_end(cli: Cli, job_id: str, show: Any) -> int:
    """Watches a job, then calls `show` with its last state. Ctrl-C detaches."""
    try:
        job = watch.job(cli.server(), job_id)
    except KeyboardInterrupt:
        output.note(f"detached: {job_id} goes on")
        output.note(f"follow it with `mllm jobs watch {job_id}`", kind="hint")
        output.note(f"stop it with `mllm jobs cancel {job_id}`", kind="hint")
        return errors.INTERRUPTED
    show(job)
    return watch.outcome(job)


def print_log_line(cli: Cli, line: Mapping[str, Any]) -> None:
    if cli.format is Format.TABLE:
        stage = f"{line['stage']}: " if line["stage"] else ""
        output.line(f"{units.stamp(line['at'])}  {line['level']:<7}  {stage}{line['message']}")
    else:
        output.streamed(line, cli.format)
