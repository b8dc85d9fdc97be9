"""How jobs look as tables."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mllm_client._lazy import lazy
from mllm_client.cli import output, units

if TYPE_CHECKING:
    from mllm_client.cli import tables
else:
    tables = lazy("mllm_client.cli.tables")


def subject(job: Mapping[str, Any]) -> str:
    """What the job is about, in the words of the person who asked for it."""
    given = job["input"] if isinstance(job["input"], dict) else {}
    return str(given.get("hubRepo") or given.get("path") or job["kind"].lower().replace("_", " "))


def state(job: Mapping[str, Any]) -> str:
    share = job["progress"]
    running = job["state"] in ("RUNNING", "PAUSED") and share is not None
    return f"{job['state']} {share * 100:.0f}%" if running else str(job["state"])


def print_jobs(jobs: list[Any], *, total: int) -> None:
    column = tables.Column
    output.table(
        [
            column("ID", lambda job: job["id"], whole=True),
            column("STATE", state, whole=True),
            column("SIZE", lambda job: units.size(job["bytesTotal"]), right=True, from_width=90),
            column("AGE", lambda job: units.age(job["createdAt"]), right=True),
            column("WHAT", subject),
            column("KIND", lambda job: job["kind"], whole=True, from_width=110),
            column("BY", lambda job: job["requestedBy"], from_width=130),
        ],
        jobs,
    )
    if total > len(jobs):
        output.note(f"{len(jobs)} of {total} jobs; more with --limit")


def print_job(job: Mapping[str, Any]) -> None:
    error = job["error"]
    output.pairs(
        [
            ("id", job["id"]),
            ("what", subject(job)),
            ("kind", job["kind"]),
            ("state", state(job)),
            ("stage", job["stage"]),
            ("message", job["message"]),
            ("error", f"{error['message']} ({error['code']})" if error else None),
            ("hint", error["hint"] if error else None),
            ("bytes", byte_count(job)),
            ("attempt", f"{job['attempt']} of {job['maxAttempts']}"),
            ("asked by", job["requestedBy"]),
            ("created", units.stamp(job["createdAt"])),
            ("started", units.stamp(job["startedAt"])),
            ("finished", units.stamp(job["finishedAt"])),
            ("elapsed", units.span(units.seconds(job["elapsed"]))),
            ("next try", units.stamp(job["nextAttemptAt"])),
            ("retry of", brief(job["retryOf"])),
            ("retried by", brief(job["retriedBy"])),
        ]
    )
    files = job["files"]["nodes"]
    if files:
        output.line("")
        output.table(
            [
                tables.Column("FILE", lambda file: file["path"]),
                tables.Column("DONE", lambda file: units.size(file["bytesDone"]), right=True),
                tables.Column("SIZE", lambda file: units.size(file["bytesTotal"]), right=True),
                tables.Column("STATE", lambda file: file["state"], whole=True),
            ],
            files,
        )


def brief(job: Mapping[str, Any] | None) -> str | None:
    return f"{job['id']}  {job['state']}" if job else None


def print_retry(job: Mapping[str, Any]) -> None:
    output.pairs(
        [
            ("job", job["id"]),
            ("state", job["state"]),
            ("what", subject(job)),
            ("retry of", brief(job["retryOf"])),
        ]
    )


def print_ended(job: Mapping[str, Any]) -> None:
    """What a completed job leaves behind; failures are told on standard error."""
    if job["state"] == "COMPLETED":
        result = job["result"] if isinstance(job["result"], dict) else {}
        output.pairs([("job", job["id"]), ("state", job["state"]), *result.items()])


def byte_count(job: Mapping[str, Any]) -> str | None:
    if job["bytesTotal"] is None:
        return units.size(job["bytesDone"])
    return f"{units.size(job['bytesDone'])} of {units.size(job['bytesTotal'])}"
