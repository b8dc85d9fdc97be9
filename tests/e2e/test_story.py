"""The story of a user: install a model, watch its bytes arrive, find its files whole and verified.

On SQLite and on Postgres; the processes are those of `make serve`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import disk
from tests.e2e.watching import Watched, install
from tests.fakes.hub import HubDouble, Repository, demo
from tests.fakes.hub.faults import Rate
from tests.stack import Stack

pytestmark = pytest.mark.e2e

LLAMA, GGUF = "acme/tiny-llama", "acme/tiny-llama-gguf"
# tiny-llama takes some three seconds then: enough to see it grow.
BYTES_PER_S = 20_000_000


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Repository]:
    return {r.id: r for r in demo.repositories(tmp_path_factory.mktemp("hub"))}


@pytest.fixture(scope="module")
def hub(repositories: dict[str, Repository]) -> Iterator[HubDouble]:
    with HubDouble(repositories.values()) as hub:
        hub.faults.cdn.set(Rate(bytes_per_s=BYTES_PER_S))
        yield hub


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def stack(request: pytest.FixtureRequest, hub: HubDouble) -> Iterator[Stack]:
    env = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_good"}
    if request.param == "postgres":
        env["MLLM_DATABASE_URL"] = request.getfixturevalue("postgres").create()
    with Stack(env=env) as stack:
        yield stack


@pytest.fixture(scope="module")
def llama(stack: Stack) -> Watched:
    return install(stack, hubRepo=LLAMA)


@pytest.fixture(scope="module")
def gguf(stack: Stack, llama: Watched) -> Any:
    """The run of `mllm weights install … --watch`."""
    return stack.cli("weights", "install", GGUF, "--watch")


def weights_root(stack: Stack) -> Path:
    return stack.home / "weights"


def answer(stack: Stack, document: str, **variables: object) -> Any:
    body = stack.graphql(document, variables)
    assert "errors" not in body, body
    return body["data"]


def test_what_is_asked_for_is_known_before_the_first_byte(stack: Stack, llama: Watched):
    job = llama.payload["job"]
    assert job["state"] == "PENDING"
    assert job["input"]["target"] == LLAMA
    assert len(job["input"]["revision"]) == 40
    assert llama.payload["storageUri"] == (weights_root(stack) / LLAMA).as_uri()
    assert llama.payload["inferenceModelPath"] == f"/mnt/models/{LLAMA}"
    assert llama.payload["joined"] is False


def test_bytes_are_seen_to_grow_until_the_job_completes(
    llama: Watched, repositories: dict[str, Repository]
):
    states = [update["state"] for update in llama.updates]
    assert states == sorted(states, key=["PENDING", "RUNNING", "COMPLETED"].index)
    assert states.count("COMPLETED") == 1
    bytes_done = [int(update["bytesDone"]) for update in llama.updates]
    total = sum(file.stat().st_size for file in repositories[LLAMA].files.values())
    assert bytes_done == sorted(bytes_done)
    assert (bytes_done[0], bytes_done[-1]) == (0, total)
    assert len(set(bytes_done)) >= 8, "too few steps for three seconds"
    assert {update["bytesTotal"] for update in llama.updates} == {str(total)}
    progress = [update["progress"] for update in llama.updates]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    verified = [update["files"]["totalCount"] for update in llama.updates]
    assert verified == sorted(verified)
    assert verified[-1] == len(repositories[LLAMA].files)


@pytest.mark.parametrize("name", [LLAMA, GGUF])
def test_every_file_is_the_one_that_the_hub_promised(
    stack: Stack,
    hub: HubDouble,
    repositories: dict[str, Repository],
    llama: Watched,
    gguf: Any,
    name: str,
):
    folder = weights_root(stack) / name
    wanted = disk.promised(hub, repositories[name])
    assert disk.hashes(folder) == wanted
    manifest = disk.manifest(folder)
    files = {file["path"]: file for file in manifest["files"]}
    assert {path: file["sha256"] for path, file in files.items()} == wanted
    sizes = {path: (folder / path).stat().st_size for path in wanted}
    assert {path: file["size"] for path, file in files.items()} == sizes
    assert (manifest["hubRepo"], manifest["license"]) == (name, "apache-2.0")
    job = answer(stack, "query($id: ID!) { job(id: $id) { input } }", id=manifest["jobId"])
    assert manifest["revision"] == job["job"]["input"]["revision"]


def test_nothing_is_left_in_staging(stack: Stack, gguf: Any):
    assert disk.entries(weights_root(stack) / ".staging") == []
    assert sorted(p.name for p in weights_root(stack).iterdir()) == [".staging", "acme"]


def test_token_of_the_hub_reaches_no_other_origin(hub: HubDouble, gguf: Any):
    counters = hub.counters
    assert counters.hub.authorized > 0
    assert counters.cdn.requests["GET blob"] > 0
    assert counters.cdn.auth_leaks == 0


def test_weights_are_told_with_all_their_files(
    stack: Stack, hub: HubDouble, repositories: dict[str, Repository], llama: Watched
):
    document = """query($path: String!) { weights(path: $path) {
      path hubRepo revision requestedRevision license fileCount size storageUri verifiedAt
      installJob { id } files { nodes { path size sha256 verified } } } }"""
    weights = answer(stack, document, path=LLAMA)["weights"]
    wanted = disk.promised(hub, repositories[LLAMA])
    files = weights.pop("files")["nodes"]
    assert {file["path"]: file["sha256"] for file in files} == wanted
    assert all(file["verified"] for file in files)
    assert weights.pop("verifiedAt")
    assert weights == {
        "path": LLAMA,
        "hubRepo": LLAMA,
        "revision": llama.payload["job"]["input"]["revision"],
        "requestedRevision": None,
        "license": "apache-2.0",
        "fileCount": len(wanted),
        "size": str(sum(int(file["size"]) for file in files)),
        "storageUri": llama.payload["storageUri"],
        "installJob": {"id": llama.job_id},
    }


def test_list_storage_and_metrics_agree(
    stack: Stack, repositories: dict[str, Repository], gguf: Any
):
    data = answer(
        stack,
        """{ allWeights { totalCount totalSize nodes { path } }
        storage { used reserved staging } system { jobCounts queueDepth workers } }""",
    )
    total = sum(
        file.stat().st_size for name in (LLAMA, GGUF) for file in repositories[name].files.values()
    )
    assert data["allWeights"] == {
        "totalCount": 2,
        "totalSize": str(total),
        "nodes": [{"path": LLAMA}, {"path": GGUF}],
    }
    assert data["storage"] == {"used": str(total), "reserved": "0", "staging": "0"}
    assert {k: v for k, v in data["system"]["jobCounts"].items() if v} == {"COMPLETED": 2}
    assert (data["system"]["queueDepth"], data["system"]["workers"]) == (0, 1)


def test_feed_tells_the_story_in_order(stack: Stack, llama: Watched, gguf: Any):
    document = """{ events(types: ["job.pending", "job.running", "job.completed", "job.failed",
      "job.cancelled", "weights.*"]) { nodes { type subjectId detail } } }"""
    events = answer(stack, document)["events"]["nodes"]
    one = ["job.pending", "job.running", "weights.installed", "job.completed"]
    assert [event["type"] for event in events] == one * 2
    assert [events[n]["subjectId"] for n in (0, 1, 3)] == [llama.job_id] * 3
    assert events[2]["detail"]["jobId"] == llama.job_id
    assert events[2]["detail"]["storageUri"] == llama.payload["storageUri"]
    samples = answer(stack, '{ events(types: ["job.progress"]) { nodes { subjectId } } }')
    assert {llama.job_id} < {event["subjectId"] for event in samples["events"]["nodes"]}


def test_command_line_installs_and_shows_it(stack: Stack, gguf: Any):
    assert gguf.returncode == 0, gguf.stderr
    shown = dict(line.split(maxsplit=1) for line in gguf.stdout.splitlines() if line[0] != "m")
    assert (shown["state"], shown["target"]) == ("COMPLETED", GGUF)
    assert shown["job"].startswith("job_")
    assert shown["storage"] == (weights_root(stack) / GGUF).as_uri()
    assert "100%" in gguf.stderr.splitlines()[-1]
    assert "error" not in gguf.stderr


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_command_line_tells_the_same_to_programs(
    stack: Stack, llama: Watched, gguf: Any, form: str, load: Any
):
    def told(*args: str) -> Any:
        run = stack.cli(*args, "-o", form)
        assert run.returncode == 0, run.stderr
        return load(run.stdout)

    assert [one["path"] for one in told("weights", "list")] == [LLAMA, GGUF]
    newest, first = told("jobs", "list")
    assert (newest["state"], first["state"]) == ("COMPLETED", "COMPLETED")
    assert first["id"] == llama.job_id
    job = told("jobs", "get", llama.job_id)
    assert job["result"]["path"] == LLAMA
    assert {file["state"] for file in job["files"]["nodes"]} == {"VERIFIED"}
    lines = told("jobs", "logs", llama.job_id)
    assert lines[-1]["stage"] == "publishing"
    status = told("status")
    assert {part["name"]: part["state"] for part in status["subsystems"]} == dict.fromkeys(
        ("database", "redis", "workers", "weights"), "PASS"
    )


def test_command_line_tells_people_in_tables(stack: Stack, llama: Watched, gguf: Any):
    weights = stack.cli("weights", "list")
    assert weights.returncode == 0
    header, *rows = weights.stdout.splitlines()
    assert header.split()[:3] == ["PATH", "SIZE", "FILES"]
    assert [row.split()[0] for row in rows] == [LLAMA, GGUF]
    jobs = stack.cli("jobs", "list")
    assert [row.split()[1] for row in jobs.stdout.splitlines()[1:]] == ["COMPLETED"] * 2
    one = stack.cli("jobs", "get", llama.job_id)
    assert one.stdout.count("VERIFIED") == len(disk.hashes(weights_root(stack) / LLAMA))
    status = stack.cli("status")
    assert (status.returncode, status.stderr) == (0, "")
    assert stack.url in status.stdout


def test_log_of_an_ended_job_is_followed_to_its_end(stack: Stack, llama: Watched):
    followed = stack.cli("jobs", "logs", llama.job_id, "--follow")
    assert followed.returncode == 0, followed.stderr
    assert followed.stdout == stack.cli("jobs", "logs", llama.job_id).stdout
    assert "verified model-00001-of-00002.safetensors, sha256 " in followed.stdout
    assert followed.stdout.rstrip().endswith(str(weights_root(stack) / LLAMA))
