"""Pausing, resuming, retrying and purging jobs, and what `jobs get` says of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.client import data
from tests.client.conftest import MLLM, Run
from tests.client.double import Double, refusal, steps
from tests.program import Program

BEFORE = "2026-01-31T12:00Z"


@contextmanager
def asked(environment: dict[str, str], *arguments: str) -> Iterator[Program]:
    """`mllm jobs purge` on a terminal, waiting for an answer."""
    purging = Program([MLLM, "jobs", "purge", *arguments], env=environment, terminal=True)
    try:
        yield purging
    finally:
        purging.close()


@pytest.mark.parametrize(
    ("verb", "operation", "state", "hint"),
    [
        ("pause", "JobPause", "PAUSED", f"hint: go on with `mllm jobs resume {data.JOB}`\n"),
        ("resume", "JobResume", "PENDING", f"hint: follow it with `mllm jobs watch {data.JOB}`\n"),
        ("cancel", "JobCancel", "CANCELLED", ""),
    ],
)
def test_verb_prints_the_state(
    mllm: Run, server: Double, verb: str, operation: str, state: str, hint: str
) -> None:
    table = mllm("jobs", verb, data.JOB)
    whole = mllm("jobs", verb, data.JOB, "-o", "json")

    assert (table.returncode, table.stdout, table.stderr) == (0, f"{data.JOB}  {state}\n", hint)
    assert json.loads(whole.stdout)["job"]["state"] == state
    assert server.variables(operation) == [{"id": data.JOB}] * 2


def test_refused_verb_is_1(mllm: Run, server: Double) -> None:
    error = {"field": ["id"], "code": "CONFLICT", "message": "it has ended", "hint": None}
    server.root["jobPause"] = refusal(error)

    result = mllm("jobs", "pause", data.JOB)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "error: it has ended (id)\n"


def test_retry_prints_the_new_job(mllm: Run, server: Double) -> None:
    result = mllm("jobs", "retry", data.FAILED_JOB)

    assert result.returncode == 0
    assert (
        result.stdout
        == f"""\
job       {data.RETRY_JOB}
state     PENDING
what      {data.REPO}
retry of  {data.FAILED_JOB}  FAILED
"""
    )
    assert result.stderr == f"hint: follow it with `mllm jobs watch {data.RETRY_JOB}`\n"
    assert server.variables("JobRetry") == [{"id": data.FAILED_JOB}]
    assert server.variables("JobUpdated") == []


def test_retry_is_watched_to_its_end(mllm: Run, server: Double) -> None:
    ended = data.completed_job(id=data.RETRY_JOB)
    server.root["jobUpdated"] = steps("jobUpdated", ended)

    table = mllm("jobs", "retry", data.FAILED_JOB, "--watch")
    whole = mllm("jobs", "retry", data.FAILED_JOB, "--watch", "-o", "json")

    assert table.returncode == 0
    assert table.stderr.splitlines()[0] == f"{data.RETRY_JOB}  retry of {data.FAILED_JOB}"
    assert f"job         {data.RETRY_JOB}" in table.stdout.splitlines()
    job = json.loads(whole.stdout)["job"]
    assert (job["state"], job["retryOf"]["id"]) == ("COMPLETED", data.FAILED_JOB)
    assert server.variables("JobUpdated") == [{"id": data.RETRY_JOB}] * 2


def test_job_tells_its_retries_and_its_next_attempt(mllm: Run, server: Double) -> None:
    retried = data.failed_job(retriedBy=data.retry_job())
    waiting = data.retry_job(nextAttemptAt=data.NOON)
    server.root["job"] = lambda _info, id: retried if id == data.FAILED_JOB else waiting

    old = mllm("jobs", "get", data.FAILED_JOB).stdout.splitlines()
    new = mllm("jobs", "get", data.RETRY_JOB).stdout.splitlines()

    assert f"retried by  {data.RETRY_JOB}  PENDING" in old
    assert not [line for line in old if line.startswith(("retry of", "next try"))]
    assert "next try  2026-01-31T12:00:00Z" in new
    assert f"retry of  {data.FAILED_JOB}  FAILED" in new


@pytest.mark.parametrize(("count", "said"), [(0, "0 jobs"), (1, "1 job"), (3, "3 jobs")])
def test_purge_says_how_many(mllm: Run, server: Double, count: int, said: str) -> None:
    answer = {"userErrors": [], "purgedCount": count}
    server.root["jobsPurge"] = lambda _info, **_: answer

    result = mllm("jobs", "purge", "--before", BEFORE, "--yes")

    assert (result.returncode, result.stdout, result.stderr) == (0, f"{said} removed\n", "")
    assert server.variables("JobsPurge") == [{"endedBefore": "2026-01-31T12:00:00+00:00"}]


def test_purge_of_some_states_and_of_an_age(mllm: Run, server: Double) -> None:
    started = datetime.now(UTC)

    result = mllm(
        "jobs", "purge", "--older-than", "7d", "--state", "failed", "--state", "CANCELLED", "-y",
        "-o", "json",
    )  # fmt: skip

    assert json.loads(result.stdout)["purgedCount"] == 3
    [sent] = server.variables("JobsPurge")
    assert sent["states"] == ["FAILED", "CANCELLED"]
    since_then = started - datetime.fromisoformat(sent["endedBefore"])
    assert timedelta(days=7, minutes=-1) < since_then <= timedelta(days=7)


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [("y", 0, "3 jobs removed"), ("", 1, "nothing is removed"), ("no", 1, "nothing is removed")],
)
def test_purge_asks_on_a_terminal(
    server: Double, environment: dict[str, str], typed: str, code: int, said: str
) -> None:
    with asked(environment, "--before", BEFORE, "--state", "failed") as purging:
        purging.type(f"{typed}\n")
        assert purging.wait() == code

    question = "Remove all failed jobs of before 2026-01-31T12:00:00Z with their logs? [y/N]"
    assert question in purging.output
    assert purging.output.endswith(said)
    assert len(server.variables("JobsPurge")) == (1 if code == 0 else 0)


def test_purge_without_a_terminal_needs_yes(mllm: Run, server: Double) -> None:
    result = mllm("jobs", "purge", "--before", BEFORE, stdin="y\n")

    assert (result.returncode, result.stdout, server.sent) == (2, "", [])
    assert result.stderr == (
        "error: nobody is there to be asked\nhint: --yes removes without asking\n"
    )
