"""Nodes by id, and pages through all lists while rows are added."""

from collections.abc import Callable
from typing import Any

import pytest

from core.ids import Prefix, new
from tests.api import Api
from tests.graphql_client import Client
from tests.server.work import COMMIT, Work

NODE = """query($id: ID!) { node(id: $id) {
  __typename id
  ... on Job { state kind subject { __typename ...Named } }
  ...Named
  ... on Event { type subjectId subject { __typename id } }
} }
fragment Named on Weights { path size installJob { id } }"""


async def pages(
    client: Client,
    document: str,
    *path: str,
    between: Callable[[], object] = lambda: None,
    **variables: Any,
) -> list[list[Any]]:
    """The nodes of every page, forwards; `between` happens after each page."""
    found: list[list[Any]] = []
    after: str | None = None
    while True:
        body = await client.ask(document, after=after, **variables)
        assert "errors" not in body, body
        connection = body["data"]
        for name in path:
            connection = connection[name]
        info = connection["pageInfo"]
        assert info["hasPreviousPage"] is (after is not None)
        found.append(connection["nodes"])
        if not info["hasNextPage"]:
            return found
        after = info["endCursor"]
        between()


async def test_every_kind_of_node_is_found_by_its_id(admin: Client, work: Work):
    job = work.install("tiny")
    weights = await admin.data('{ weights(path: "tiny") { id } }')
    events = await admin.data("{ events { nodes { id type } } }")
    by_type = {event["type"]: event["id"] for event in events["nodes"]}

    named = {"path": "tiny", "size": "100", "installJob": {"id": job.id}}
    assert await admin.data(NODE, id=job.id) == {
        "__typename": "Job",
        "id": job.id,
        "state": "COMPLETED",
        "kind": "WEIGHTS_INSTALL",
        "subject": {"__typename": "Weights", **named},
    }
    assert await admin.data(NODE, id=weights["id"]) == {
        "__typename": "Weights",
        "id": weights["id"],
        **named,
    }
    assert await admin.data(NODE, id=by_type["weights.installed"]) == {
        "__typename": "Event",
        "id": by_type["weights.installed"],
        "type": "weights.installed",
        "subjectId": weights["id"],
        "subject": {"__typename": "Weights", "id": weights["id"]},
    }
    for prefix in (Prefix.JOB, Prefix.WEIGHTS, Prefix.EVENT, Prefix.TOKEN):
        assert await admin.data(NODE, id=new(prefix)) is None


async def test_payloads_are_one_interface(admin: Client):
    document = """mutation($id: ID!) { jobCancel(id: $id) {
      __typename ... on Payload { userErrors { code } } ... on JobPayload { job { id } }
    } }"""
    assert await admin.data(document, id=new(Prefix.JOB)) == {
        "__typename": "JobPayload",
        "userErrors": [{"code": "NOT_FOUND"}],
        "job": None,
    }


async def test_weights_answer_all_that_is_known_of_them(admin: Client, work: Work):
    work.install("tiny")
    root = work.api.settings.weights.root
    document = """{ weights(path: "tiny") {
      location path hubRepo revision requestedRevision size fileCount license storageUri
      inferenceModelPath files { nodes { path size sha256 verified } }
    } }"""
    assert await admin.data(document) == {
        "location": "default",
        "path": "tiny",
        "hubRepo": "acme/tiny",
        "revision": COMMIT,
        "requestedRevision": None,
        "size": "100",
        "fileCount": 2,
        "license": "mit",
        "storageUri": f"file://{root}/tiny",
        "inferenceModelPath": "/mnt/models/tiny",
        "files": {
            "nodes": [
                {"path": "f0", "size": "60", "sha256": "0" * 64, "verified": True},
                {"path": "f1", "size": "40", "sha256": "1" * 64, "verified": True},
            ]
        },
    }


async def test_jobs_are_paged_newest_first_while_new_ones_arrive(admin: Client, work: Work):
    before = [work.queue(f"t{n}").id for n in range(7)]
    document = """query($after: String) { jobs(first: 3, after: $after) {
      totalCount nodes { id } edges { cursor node { id } } pageInfo { hasNextPage
      hasPreviousPage startCursor endCursor } } }"""
    added: list[str] = []

    def queue_another() -> None:
        added.append(work.queue(f"later{len(added)}").id)

    found = await pages(admin, document, "jobs", between=queue_another)
    assert [len(page) for page in found] == [3, 3, 1]
    assert [job["id"] for page in found for job in page] == before[::-1]
    assert len(added) == 2
    connection = await admin.data(document)
    assert connection["totalCount"] == 9
    cursors = [edge["cursor"] for edge in connection["edges"]]
    assert [edge["node"] for edge in connection["edges"]] == connection["nodes"]
    info = connection["pageInfo"]
    assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
    rest = await admin.data(document, after=cursors[0])
    assert rest["nodes"][:2] == connection["nodes"][1:]


async def test_page_that_is_just_full_is_the_last(admin: Client, work: Work):
    for n in range(3):
        work.queue(f"t{n}")
    info = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    page = await admin.data(f"{{ jobs(first: 3) {{ nodes {{ id }} {info} }} }}")
    assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (3, False)
    end = page["pageInfo"]["endCursor"]
    document = f"query($a: String!) {{ jobs(after: $a) {{ nodes {{ id }} {info} }} }}"
    assert await admin.data(document, a=end) == {
        "nodes": [],
        "pageInfo": {
            "hasNextPage": False,
            "hasPreviousPage": True,
            "startCursor": None,
            "endCursor": None,
        },
    }


async def test_jobs_are_filtered(admin: Client, work: Work):
    done, failed = work.install("done"), work.start("failed")
    work.fail(failed)
    running = work.start("running")
    waiting = work.queue("waiting")
    document = "query($f: JobFilter) { jobs(filter: $f) { totalCount nodes { id } } }"

    async def matching(**filter_: object) -> list[str]:
        page = await admin.data(document, f=filter_)
        assert page["totalCount"] == len(page["nodes"])
        return [job["id"] for job in page["nodes"]]

    assert await matching() == [waiting.id, running.id, failed.id, done.id]
    assert await matching(states=["PENDING", "RUNNING"]) == [waiting.id, running.id]
    assert await matching(states=[]) == []
    assert await matching(kinds=["WEIGHTS_INSTALL"], states=["FAILED"]) == [failed.id]
    weights = await admin.data('{ weights(path: "done") { id } }')
    assert await matching(subjectId=weights["id"]) == [done.id]
    assert await matching(subjectId=weights["id"].upper()) == [done.id]
    assert await matching(since=running.created_at.isoformat()) == [waiting.id, running.id]


async def test_failed_job_tells_why(admin: Client, work: Work):
    job = work.start()
    work.fail(job)
    document = """query($id: ID!) { job(id: $id) {
      state message progress bytesDone bytesTotal attempt result finishedAt
      error { code message hint retryable } input requestedBy
    } }"""
    answer = await admin.data(document, id=job.id)
    assert answer.pop("finishedAt").endswith("+00:00")
    assert answer == {
        "state": "FAILED",
        "message": "other bytes than the commit names",
        "progress": 0.0,
        "bytesDone": "0",
        "bytesTotal": "100",
        "attempt": 1,
        "result": None,
        "error": {
            "code": "CORRUPT",
            "message": "other bytes than the commit names",
            "hint": "try again",
            "retryable": False,
        },
        "input": job.input,
        "requestedBy": "ann",
    }


async def test_files_of_a_job_are_paged_by_path(admin: Client, work: Work):
    sizes = tuple(range(100, 107))
    job = work.start(sizes=sizes)
    document = """query($id: ID!, $after: String, $states: [JobFileState!]) { job(id: $id) {
      files(first: 3, after: $after, states: $states) {
        totalCount nodes { path bytesDone bytesTotal state } pageInfo { hasNextPage
        hasPreviousPage endCursor } } } }"""
    found = await pages(
        admin, document, "job", "files", between=lambda: work.report(job, 10), id=job.id
    )
    assert [len(page) for page in found] == [3, 3, 1]
    assert [file["path"] for page in found for file in page] == [f"f{n}" for n in range(7)]
    assert [file["bytesTotal"] for page in found for file in page] == [str(s) for s in sizes]
    answer = await admin.data(document, id=job.id, states=["RUNNING"])
    assert answer["files"]["totalCount"] == 1
    assert answer["files"]["nodes"] == [
        {"path": "f0", "bytesDone": "10", "bytesTotal": "100", "state": "RUNNING"}
    ]


async def test_log_is_paged_while_it_grows(admin: Client, work: Work):
    job = work.start()
    work.log(job, *(f"line {n}" for n in range(5)))
    document = """query($id: ID!, $after: String) { job(id: $id) { logs(first: 2, after: $after) {
      nodes { cursor message level stage } pageInfo { hasNextPage hasPreviousPage endCursor }
    } } }"""
    added: list[str] = []

    def log_another() -> None:
        added.append(f"line {5 + len(added)}")
        work.log(job, added[-1])

    found = await pages(admin, document, "job", "logs", between=log_another, id=job.id)
    lines = [line for page in found for line in page]
    assert [line["message"] for line in lines] == [f"line {n}" for n in range(5 + len(added))]
    assert {(line["level"], line["stage"]) for line in lines} == {("INFO", "downloading")}
    assert found[0][-1]["cursor"] != found[1][0]["cursor"]


async def test_log_takes_a_thousand_lines_a_page(admin: Client, work: Work):
    job = work.start()
    document = "query($id: ID!, $n: Int!) { job(id: $id) { logs(first: $n) { nodes { at } } } }"
    assert await admin.data(document, id=job.id, n=1000) == {"logs": {"nodes": []}}
    error = await admin.refused(document, id=job.id, n=1001)
    assert error["message"] == "first must be between 1 and 1000, not 1001"
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED"}


async def test_events_follow_each_other_while_new_ones_are_written(admin: Client, work: Work):
    first = work.queue("first")
    document = """query($after: ID, $since: DateTime) { events(first: 2, after: $after,
      since: $since) { nodes { id type subjectId detail at } pageInfo { hasNextPage
      hasPreviousPage endCursor } } }"""
    queued = [first.id, *(work.queue(f"t{n}").id for n in range(3))]

    def queue_another() -> None:
        if len(queued) < 7:
            queued.append(work.queue(f"later{len(queued)}").id)

    since = "2000-01-01T00:00:00Z"
    found = await pages(admin, document, "events", between=queue_another, since=since)
    events = [event for page in found for event in page]
    assert [event["subjectId"] for event in events] == queued
    assert {event["type"] for event in events} == {"job.pending"}
    assert len({event["id"] for event in events}) == len(events)
    assert events[0]["detail"]["jobId"] == first.id
    last = await admin.data(document)
    assert last["nodes"] == events[-2:]
    assert last["pageInfo"]["hasPreviousPage"] is True
    assert last["pageInfo"]["hasNextPage"] is False


async def test_events_are_chosen_by_type(admin: Client, work: Work):
    work.install("tiny")
    document = "query($t: [String!]) { events(types: $t) { nodes { type } } }"

    async def types(*globs: str) -> list[str]:
        return [event["type"] for event in (await admin.data(document, t=globs))["nodes"]]

    assert await types("job.*") == ["job.pending", "job.running", "job.completed"]
    assert await types("weights.installed") == ["weights.installed"]
    assert await types("*.installed", "job.running") == ["job.running", "weights.installed"]
    assert await types("nothing.*") == []
    assert await types() == []


async def test_weights_are_paged_by_path_with_totals(admin: Client, work: Work):
    names = ["b", "a", "d", "c", "e"]
    for name in names:
        work.install(name)
    document = """query($after: String) { allWeights(first: 2, after: $after) {
      totalCount totalSize nodes { path } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    found = await pages(admin, document, "allWeights", between=lambda: work.install("aa"))
    assert [len(page) for page in found] == [2, 2, 1]
    assert [one["path"] for page in found for one in page] == sorted(names)
    connection = await admin.data(document)
    assert (connection["totalCount"], connection["totalSize"]) == (6, "600")


async def test_system_tells_counts_parts_and_settings_without_secrets(
    start: Callable[..., Api],
):
    api = start(HF_TOKEN="hf_secret")
    work = Work(api)
    work.install("tiny")
    work.queue("waiting", sizes=(5,))
    async with Client(api.url, api.token()) as client:
        body = await client.ask("""{ system { version uptime mode workers queueDepth jobCounts
          subsystems { name state } settings
          storage { location root used reserved staging capacity available } } }""")
    system = body["data"]["system"]
    assert system["uptime"].startswith("PT")
    assert (system["mode"], system["workers"], system["queueDepth"]) == ("embedded", 0, 1)
    assert {k: v for k, v in system["jobCounts"].items() if v} == {"PENDING": 1, "COMPLETED": 1}
    parts = {part["name"]: part["state"] for part in system["subsystems"]}
    assert parts == {"database": "PASS", "redis": "PASS", "workers": "FAIL", "weights": "PASS"}
    (storage,) = system["storage"]
    assert storage["root"] == str(api.settings.weights.root)
    assert (storage["used"], storage["reserved"], storage["staging"]) == ("100", "5", "0")
    assert int(storage["capacity"]) >= int(storage["available"]) > 0
    assert "hf_secret" not in str(body)


pytestmark = pytest.mark.timeout(60)


async def test_weights_that_are_installed_again_keep_their_id(admin: Client, work: Work):
    first = work.install("tiny")
    document = '{ weights(path: "tiny") { id size installJob { id } files { nodes { path } } } }'
    before = await admin.data(document)
    second = work.install("tiny")
    after = await admin.data(document)
    assert (before["installJob"], after["installJob"]) == ({"id": first.id}, {"id": second.id})
    assert {**after, "installJob": None} == {**before, "installJob": None}
    subjects = await admin.data("{ jobs { nodes { subject { id } } } }")
    assert subjects["nodes"] == [{"subject": {"id": after["id"]}}] * 2
