"""Each class of failure: its exit code, and what standard error says."""

import pytest
from aiohttp import web

from tests.client import data
from tests.client.conftest import Run
from tests.client.double import Close, Double, answer, error, refusal, steps

USAGE = {
    "jobs get nonsense": ("'nonsense' is not the id of a job", "the id of a job starts with job_"),
    f"jobs get {data.WEIGHTS}": (
        f"'{data.WEIGHTS}' is not the id of a job",
        "the id of a job starts with job_",
    ),
    "jobs watch job_01k3": ("'job_01k3' is not a whole id", "ids have 26 characters after job_"),
    "events --after job_1": (
        "'job_1' is not the id of an event",
        "the id of an event starts with evt_",
    ),
    "events --since 5x": (
        "'5x' is not a time",
        "write 90s, 15m, 1h or 2d, or a time like 2026-01-31T12:00Z",
    ),
    "events --since 2026-01-31": (
        "'2026-01-31' does not say its time zone",
        "write 90s, 15m, 1h or 2d, or a time like 2026-01-31T12:00Z",
    ),
    "events --since 9999-01-31T12:00Z": ("'9999-01-31T12:00Z' is yet to come", None),
    "events --since 99999999d": ("'99999999d' is longer than there are dates", None),
    f"events --since 1h --after {data.EVENT}": (
        "--since and --after both say where to begin",
        "choose one",
    ),
    "events --follow --limit 3": ("--limit does not go with --follow", None),
    "jobs retry x": ("'x' is not the id of a job", "the id of a job starts with job_"),
    "jobs purge --yes": (
        "say how old, with --older-than or with --before",
        "like --older-than 7d",
    ),
    "jobs purge --yes --older-than 7d --before 2026-01-31T12:00Z": (
        "say how old, with --older-than or with --before",
        "like --older-than 7d",
    ),
    "jobs purge --yes --older-than 7": (
        "'7' is not a time span",
        "write it like 90s, 15m, 1h or 2d",
    ),
    "jobs purge --yes --before noon": (
        "'noon' is not a time",
        "write it like 2026-01-31T12:00Z",
    ),
    "jobs purge --yes --older-than 7d --state running": (
        "Invalid value for '--state': Value error, 'running' is not one of",
        "see `mllm jobs purge --help`",
    ),
    "weights install a/b/c": (
        "'a/b/c' is not a repository of the Hub",
        "write organisation/name, for example Qwen/Qwen2.5-0.5B-Instruct",
    ),
    "jobs": ("Missing command.", "see `mllm jobs --help`"),
    "jobs lst": ("No such command 'lst'. Did you mean 'list'?", "see `mllm jobs --help`"),
    "jobs list --lmit 3": ("No such option: --lmit", "see `mllm jobs list --help`"),
    "wieghts list": (
        "unknown verb 'wieghts', and no program mllm-wieghts on PATH",
        "did you mean `mllm weights`?",
    ),
    "--server ftp://x status": (
        "not an address of a server: 'ftp://x'",
        "write it like http://127.0.0.1:8080",
    ),
    "api {": ("Syntax Error: Expected Name, found <EOF>. (line 1, column 2)", None),
    "api {a} --var b": ("'b' is not name=value", "like --var first=5"),
}


@pytest.mark.parametrize("command", USAGE)
def test_wrong_usage_is_2_and_asks_nobody(mllm: Run, server: Double, command: str) -> None:
    message, hint = USAGE[command]

    result = mllm(*command.split(" "))

    said = result.stderr.splitlines()
    assert said[0].startswith(f"error: {message}")
    assert said[1:] == ([f"hint: {hint}"] if hint else [])
    assert (result.returncode, result.stdout, server.sent) == (2, "", [])


@pytest.mark.parametrize(("code", "exit_code"), [("INVALID", 2), ("REQUIRED", 2), ("NO_SPACE", 1)])
def test_user_errors_are_told_with_their_field(
    mllm: Run, server: Double, code: str, exit_code: int
) -> None:
    server.root["weightsInstall"] = refusal(
        {"field": ["input", "target"], "code": code, "message": "it is wrong", "hint": "try x"}
    )

    result = mllm("weights", "install", data.REPO, "--watch")

    assert result.returncode == exit_code
    assert result.stderr == "error: it is wrong (input.target)\nhint: try x\n"
    assert result.stdout == ""


@pytest.mark.parametrize(("code", "exit_code"), [("BAD_ID", 2), ("LIMIT_EXCEEDED", 1)])
def test_top_level_errors_are_told(mllm: Run, server: Double, code: str, exit_code: int) -> None:
    server.http = lambda _: answer([error("no", code=code)])

    result = mllm("jobs", "list")

    assert (result.returncode, result.stdout, result.stderr) == (exit_code, "", "error: no\n")


def test_masked_defect_names_the_request(mllm: Run, server: Double) -> None:
    server.http = lambda _: answer([error("Internal error", requestId="r-1")])

    result = mllm("jobs", "list")

    assert result.returncode == 1
    assert result.stderr == (
        "error: Internal error\nhint: the server's log tells more under request id r-1\n"
    )


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "FORBIDDEN"])
def test_refused_tokens_say_what_to_do(mllm: Run, server: Double, code: str) -> None:
    server.http = lambda _: answer([error("not you", code=code)], status=401)

    result = mllm("jobs", "list")

    assert result.returncode == 1
    assert result.stderr.startswith("error: not you\nhint: ")


def test_unknown_job_is_a_failure(mllm: Run) -> None:
    result = mllm("jobs", "get", data.JOB[:-1] + "9")

    assert result.returncode == 1
    assert result.stderr == (
        f"error: there is no job {data.JOB[:-1]}9\nhint: see `mllm jobs list`\n"
    )


def test_nothing_listens(mllm: Run) -> None:
    result = mllm("jobs", "list", env={"MLLM_SERVER": "http://127.0.0.1:1"})

    assert result.returncode == 1
    assert result.stderr.startswith(
        "error: cannot reach http://127.0.0.1:1: Connection refused\nhint: is it running?"
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "/graphql does not answer as an mllm server does"),
        (404, "error: the server answered 404 Not Found"),
        (502, "error: the server answered 502 Bad Gateway"),
        (401, "error: the server asks for a valid token"),
        (403, "error: the server does not allow this"),
    ],
)
def test_answer_that_is_not_graphql(mllm: Run, server: Double, status: int, said: str) -> None:
    server.http = lambda _: web.Response(status=status, text="<html>")

    result = mllm("jobs", "list")

    assert result.returncode == 1
    assert said in result.stderr


def test_redirect_is_not_followed(mllm: Run, server: Double) -> None:
    with Double() as other:
        server.http = lambda _: web.Response(status=307, headers={"Location": other.url})

        result = mllm("jobs", "list")

        assert result.returncode == 1
        assert result.stderr == "error: the server answered 307 Temporary Redirect\n"
        assert other.sent == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (4401, "error: the server asks for a valid token\nhint: "),
        (4403, "error: the server refuses this token\nhint: "),
        (4400, "error: the server closed the subscription: 4400 why\n"),
    ],
)
def test_refused_subscription_is_not_tried_again(
    mllm: Run, server: Double, code: int, said: str
) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", Close(code, "why"))

    result = mllm("jobs", "watch", data.JOB)

    assert result.returncode == 1
    assert result.stderr.startswith(said)
    assert len(server.variables("JobUpdated")) == 1


def test_status_fails_with_a_part(mllm: Run, server: Double) -> None:
    broken = [{"name": "database", "state": "FAIL", "message": "gone"}]
    server.root["system"] = data.system(subsystems=broken)

    result = mllm("status")

    assert result.returncode == 1
    assert "database  FAIL   gone" in result.stdout.splitlines()
    assert result.stderr == "error: not well: database\n"


def test_partial_answer_is_printed_and_still_a_failure(mllm: Run, server: Double) -> None:
    body = {"data": {"system": None}, "errors": [error("the cluster is away")]}
    server.http = lambda _: web.json_response(body)

    result = mllm("api", "{ system { version } }")

    assert result.returncode == 1
    assert result.stdout == '{\n  "system": null\n}\n'
    assert result.stderr == "error: the cluster is away\n"


def test_traceback_only_on_request(mllm: Run, server: Double) -> None:
    server.http = lambda _: answer([error("no")])

    assert "Traceback" not in mllm("jobs", "list").stderr
    assert "Traceback" in mllm("jobs", "list", env={"MLLM_DEBUG": "1"}).stderr
