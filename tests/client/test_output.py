"""What `mllm` prints at 80 columns, byte for byte."""

import json

import pytest
import yaml

from tests.client import data
from tests.client.conftest import Run
from tests.client.double import Double

TABLES = {
    "jobs list": """\
ID                              STATE        AGE  WHAT
job_01k3v8m2f0c9xq7z5r4t6w8y0b  RUNNING 50%   2h  Qwen/Qwen2.5-0.5B-Instruct
job_01k3v8m2f0c9xq7z5r4t6w8y0c  FAILED        3d  an-organisation-with-a-long-na
                                                  me/and-a-model-whose-name-is-l
                                                  onger
""",
    f"jobs cancel {data.JOB}": """\
job_01k3v8m2f0c9xq7z5r4t6w8y0b  CANCELLED
""",
    f"jobs logs {data.JOB}": """\
2026-01-31T12:00:01Z  INFO     plan: line 1
2026-01-31T12:00:02Z  INFO     plan: line 2
2026-01-31T12:00:03Z  INFO     plan: line 3
""",
    "weights list": """\
PATH                             SIZE  FILES  REVISION  AGE
Qwen/Qwen2.5-0.5B-Instruct  942.0 MiB      2  7ae55760   1h
""",
    "weights usage": """\
location   default
root       /srv/weights
capacity   100.0 GiB
used        39.5 GiB
reserved   471.0 MiB
staging          0 B
available   60.0 GiB
""",
    f"weights install {data.REPO}": """\
job         job_01k3v8m2f0c9xq7z5r4t6w8y0b
state       PENDING
target      Qwen/Qwen2.5-0.5B-Instruct
storage     file:///srv/weights/Qwen/Qwen2.5-0.5B-Instruct
model path  /mnt/models/Qwen/Qwen2.5-0.5B-Instruct
""",
    "version": "mllm 0.1.0\n",
}


@pytest.mark.parametrize("command", TABLES)
def test_table_at_80_columns(mllm: Run, command: str) -> None:
    result = mllm(*command.split())

    assert result.stdout == TABLES[command]
    assert result.returncode == 0


def test_wide_terminal_shows_more_columns(mllm: Run) -> None:
    result = mllm("jobs", "list", env={"COLUMNS": "160"})

    titles, running = (line.split() for line in result.stdout.splitlines()[:2])
    assert titles == ["ID", "STATE", "SIZE", "AGE", "WHAT", "KIND", "BY"]
    assert running[-3:] == [data.REPO, "WEIGHTS_INSTALL", "admin"]


def test_job_is_shown_with_its_files(mllm: Run) -> None:
    lines = mllm("jobs", "get", data.FAILED_JOB).stdout.splitlines()

    assert "error     the volume is full (NO_SPACE)" in lines
    assert "hint      free 3.0 GiB" in lines
    assert lines[-3:] == [
        "FILE                    DONE       SIZE  STATE",
        "config.json            660 B      660 B  VERIFIED",
        "model.safetensors  471.0 MiB  942.0 MiB  RUNNING",
    ]


def test_weights_are_shown_with_their_hashes(mllm: Run) -> None:
    lines = mllm("weights", "info", data.PATH).stdout.splitlines()

    assert f"revision    {data.REVISION}" in lines
    assert lines[-6:] == [
        "",
        "config.json  660 B  verified",
        f"  sha256 {'ab' * 32}",
        "",
        "model.safetensors  942.0 MiB  not verified",
        "  sha256 unknown",
    ]


def test_status_is_readable(mllm: Run, server: Double) -> None:
    result = mllm("status")

    assert result.returncode == 0
    assert (
        result.stdout
        == f"""\
server   {server.url}
version  0.1.0 (up)
uptime   1d 02h
workers  1
queue    0
jobs     1 running, 1 failed

PART        STATE  MESSAGE
database    PASS   sqlite
kubernetes  WARN   no cluster is configured

LOCATION      USED   RESERVED      FREE   CAPACITY  ROOT
default   39.5 GiB  471.0 MiB  60.0 GiB  100.0 GiB  /srv/weights
"""
    )


@pytest.mark.parametrize(
    "command",
    ["jobs list", f"jobs get {data.JOB}", f"jobs logs {data.JOB}", "weights list",
     f"weights info {data.PATH}", "weights usage", "events", "status", "version"],
)  # fmt: skip
def test_json_and_yaml_carry_the_same_whole_object(mllm: Run, command: str) -> None:
    before = mllm("-o", "json", *command.split())
    after = mllm(*command.split(), "--output", "yaml")

    assert (before.returncode, after.returncode) == (0, 0)
    assert moving_parts_removed(yaml.safe_load(after.stdout)) == moving_parts_removed(
        json.loads(before.stdout)
    )


def test_json_keeps_the_names_and_values_of_graphql(mllm: Run) -> None:
    [running, failed] = json.loads(mllm("jobs", "list", "-o", "json").stdout)

    assert running["id"] == data.JOB
    assert running["bytesTotal"] == "987758592"
    assert running["input"] == {"hubRepo": data.REPO, "target": data.PATH}
    assert failed["error"]["retryable"] is False


def test_option_after_the_verb_wins(mllm: Run) -> None:
    result = mllm("-o", "yaml", "version", "-o", "json")

    assert result.stdout == '{\n  "version": "0.1.0"\n}\n'


def test_machine_output_is_alone_on_stdout(mllm: Run) -> None:
    result = mllm("weights", "install", data.REPO, "-o", "json")

    assert json.loads(result.stdout)["storageUri"] == data.STORAGE_URI
    assert result.stderr == f"hint: follow it with `mllm jobs watch {data.JOB}`\n"


def test_options_of_install_reach_the_server(mllm: Run, server: Double) -> None:
    mllm(
        "weights", "install", data.REPO, "--revision", "main", "--target", "a/b", "--location",
        "fast", "--include", "*.json", "--include", "*.safetensors", "--exclude", "*.bin",
        "--overwrite", "--priority", "7", "--idempotency-key", "k",
    )  # fmt: skip

    assert server.variables("WeightsInstall") == [
        {
            "hubRepo": data.REPO,
            "revision": "main",
            "target": "a/b",
            "location": "fast",
            "allow": ["*.json", "*.safetensors"],
            "ignore": ["*.bin"],
            "overwrite": True,
            "priority": 7,
            "idempotencyKey": "k",
        }
    ]


def test_list_asks_page_by_page(mllm: Run, server: Double) -> None:
    server.root["jobs"] = data.connection([data.job() for _ in range(130)])

    result = mllm("jobs", "list", "--state", "running", "--limit", "120")

    assert len(result.stdout.splitlines()) == 121
    assert result.stderr == "120 of 130 jobs; more with --limit\n"
    filters = {"states": ["RUNNING"]}
    assert server.variables("Jobs") == [
        {"filter": filters, "first": 100},
        {"filter": filters, "first": 20, "after": "100"},
    ]


def test_control_characters_do_not_reach_the_terminal(mllm: Run, server: Double) -> None:
    server.root["jobs"] = data.connection([data.job(input={"hubRepo": "evil\x1b[2J\x07"})])

    assert mllm("jobs", "list").stdout.splitlines()[1].endswith("2h  evil\ufffd[2J\ufffd")


def test_api_prints_data_of_a_typed_document(mllm: Run, server: Double) -> None:
    result = mllm(
        "api", "query Q($first: Int!) { jobs(first: $first) { totalCount } }", "--var", "first=1"
    )

    assert json.loads(result.stdout) == {"jobs": {"totalCount": 2}}
    assert server.variables("Q") == [{"first": 1}]


def test_api_streams_a_subscription_line_by_line(mllm: Run) -> None:
    result = mllm("api", "-", stdin="subscription { jobUpdated(id: 1) { state } }")

    assert result.stdout.splitlines() == [
        '{"jobUpdated": {"state": "RUNNING"}}',
        '{"jobUpdated": {"state": "COMPLETED"}}',
    ]
    assert result.returncode == 0


def test_completion_script_calls_mllm(mllm: Run) -> None:
    assert "_MLLM_COMPLETE=complete_bash" in mllm("completion", "bash").stdout
    words = mllm(env={"_MLLM_COMPLETE": "complete_bash", "COMP_WORDS": "mllm j", "COMP_CWORD": "1"})
    assert words.stdout == "jobs\n"


def moving_parts_removed(value: object) -> object:
    """`value` without the times that are relative to now."""
    match value:
        case dict():
            moving = {"createdAt", "installedAt"}
            return {k: moving_parts_removed(v) for k, v in value.items() if k not in moving}
        case list():
            return [moving_parts_removed(one) for one in value]
        case _:
            return value
