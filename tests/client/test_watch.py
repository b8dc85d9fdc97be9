"""Watching a job: progress without a terminal, on one, through lost connections, and leaving it."""

import asyncio
import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.client import data
from tests.client.conftest import MLLM, Run
from tests.client.double import Double, Drop, in_turn, payload, steps
from tests.program import Program

WATCH = ("jobs", "watch", data.JOB)
HALF = "download   50%  471.0 MiB/942.0 MiB  52.4 MiB/s  eta 9s  1/2 files"
DONE = "completed  100%  942.0 MiB/942.0 MiB  1/2 files"


@contextmanager
def program(environment: dict[str, str], *arguments: str, terminal: bool) -> Iterator[Program]:
    started = Program([MLLM, *arguments], env=environment, terminal=terminal)
    try:
        yield started
    finally:
        started.close()


def test_without_a_terminal_progress_is_plain_lines(mllm: Run) -> None:
    result = mllm(*WATCH)

    assert result.returncode == 0
    assert result.stderr == f"{HALF}\n{DONE}\n"
    assert (
        result.stdout
        == f"""\
job         {data.JOB}
state       COMPLETED
path        {data.PATH}
storageUri  {data.STORAGE_URI}
"""
    )


def test_without_a_terminal_progress_is_one_line_a_second(mllm: Run, server: Double) -> None:
    many = [data.job(progress=share / 1000) for share in range(300)]
    server.root["jobUpdated"] = steps("jobUpdated", *many, data.completed_job())
    started = time.monotonic()

    result = mllm(*WATCH)

    lines = result.stderr.splitlines()
    assert lines[-1] == DONE
    assert 2 <= len(lines) <= 2 + time.monotonic() - started


def test_failed_job_is_1_with_its_reason(mllm: Run, server: Double) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", data.failed_job())

    result = mllm("jobs", "watch", data.FAILED_JOB)

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-2:] == [
        f"error: {data.FAILED_JOB} failed: the volume is full (NO_SPACE)",
        "hint: free 3.0 GiB",
    ]


def test_cancelled_job_is_1(mllm: Run, server: Double) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", data.job(state="CANCELLED"))

    result = mllm(*WATCH)

    assert result.returncode == 1
    assert result.stderr.endswith(f"error: {data.JOB} ended as CANCELLED\n")


def test_install_is_watched_to_its_end(mllm: Run, server: Double) -> None:
    result = mllm("weights", "install", data.REPO, "--watch", "-o", "json")

    answer = json.loads(result.stdout)
    assert result.returncode == 0
    assert (answer["storageUri"], answer["job"]["state"]) == (data.STORAGE_URI, "COMPLETED")
    assert result.stderr == f"{data.JOB}  {data.STORAGE_URI}\n{HALF}\n{DONE}\n"
    assert server.variables("JobUpdated") == [{"id": data.JOB}]


def test_joined_install_says_so(mllm: Run, server: Double) -> None:
    server.root["weightsInstall"] = payload(
        job=data.job(), storageUri=data.STORAGE_URI, inferenceModelPath="/mnt", joined=True
    )

    result = mllm("weights", "install", data.REPO)

    assert result.stderr.splitlines()[0] == "joined the install that is under way"


def test_lost_connection_is_opened_again(mllm: Run, server: Double) -> None:
    server.root["jobUpdated"] = in_turn(
        steps("jobUpdated", data.job(), Drop()), steps("jobUpdated", data.completed_job())
    )

    result = mllm(*WATCH)

    assert result.returncode == 0
    assert len(server.variables("JobUpdated")) == 2
    assert re.search(r"; trying again in \d\.\d s$", result.stderr, re.MULTILINE)


@pytest.mark.parametrize("terminal", [False, True])
def test_interrupt_detaches_and_says_how_to_go_on(
    server: Double, environment: dict[str, str], terminal: bool
) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", data.job(), asyncio.Event())

    with program(environment, "weights", "install", data.REPO, "-w", terminal=terminal) as watching:
        server.await_request("JobUpdated")
        if terminal:
            watching.type("\x03")
        else:
            watching.signal(signal.SIGINT)
        code = watching.wait()

    assert code == 130
    assert plain(watching.output)[-4:] == [
        f"detached: {data.JOB} goes on",
        f"hint: follow it with `mllm jobs watch {data.JOB}`",
        f"hint: pause it with `mllm jobs pause {data.JOB}`",
        f"hint: cancel it with `mllm jobs cancel {data.JOB}`",
    ]
    assert server.variables("JobCancel") == []


def test_paused_job_says_so_once_and_is_followed(mllm: Run, server: Double) -> None:
    paused = data.job(state="PAUSED", bytesPerSecond=None, eta=None)
    server.root["jobUpdated"] = in_turn(
        steps("jobUpdated", paused, Drop()),
        steps("jobUpdated", paused, data.job(), data.completed_job()),
    )

    result = mllm(*WATCH)

    told = f"paused; it goes on after `mllm jobs resume {data.JOB}`"
    assert result.returncode == 0
    assert result.stderr.splitlines().count(told) == 1
    assert result.stderr.splitlines()[:2] == [
        "paused   50%  471.0 MiB/942.0 MiB  1/2 files",
        told,
    ]
    assert result.stderr.endswith(f"{DONE}\n")


def test_interrupt_on_a_paused_job_says_how_to_resume(
    server: Double, environment: dict[str, str]
) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", data.job(state="PAUSED"), asyncio.Event())

    with program(environment, *WATCH, terminal=True) as watching:
        watching.expect("it goes on after `mllm jobs resume")
        watching.type("\x03")
        code = watching.wait()

    assert code == 130
    assert plain(watching.output)[-4:] == [
        f"detached: {data.JOB} stays paused",
        f"hint: follow it with `mllm jobs watch {data.JOB}`",
        f"hint: resume it with `mllm jobs resume {data.JOB}`",
        f"hint: cancel it with `mllm jobs cancel {data.JOB}`",
    ]


def test_terminal_gets_a_bar_that_fits(server: Double, environment: dict[str, str]) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", data.job(), data.completed_job())

    with program(environment, *WATCH, terminal=True) as watching:
        assert watching.wait() == 0

    lines = plain(watching.output)
    [bar] = [line for line in lines if "completed" in line and "━" in line]
    assert "942.0 MiB/942.0 MiB" in bar
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_log_is_followed_from_its_start(mllm: Run, server: Double) -> None:
    first, second, third = data.log_lines()
    server.root["jobLogAdded"] = in_turn(
        steps("jobLogAdded", first, second, Drop()), steps("jobLogAdded", third)
    )

    result = mllm("jobs", "logs", data.JOB, "--follow", "-o", "json")

    assert [json.loads(line)["message"] for line in result.stdout.splitlines()] == [
        "line 1",
        "line 2",
        "line 3",
    ]
    assert server.variables("JobLogAdded") == [{"id": data.JOB}, {"id": data.JOB, "after": "2"}]


def test_stream_that_ends_early_is_a_failure(mllm: Run, server: Double) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", data.job())

    result = mllm(*WATCH)

    assert result.returncode == 1
    assert "error: the server ended the stream before the job ended" in result.stderr


def plain(output: str) -> list[str]:
    """Lines as they are seen on a terminal."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output))
