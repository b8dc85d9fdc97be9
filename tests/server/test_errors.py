"""The three channels of errors: payload, top level with a code, and masked defects."""

import pytest
import structlog
from sqlalchemy import text

from core.ids import Prefix, new
from infra.db.store import Tx
from tests.api import Api
from tests.graphql_client import Client
from tests.server.work import Work

CANCEL = """mutation($id: ID!) {
  jobCancel(id: $id) { job { id state } userErrors { field code message hint } }
}"""


def drop(tx: Tx, table: str) -> None:
    tx.session.execute(text(f"DROP TABLE {table}"))


async def test_missing_job_and_ended_job_are_user_errors(admin: Client, work: Work):
    missing = new(Prefix.JOB)
    payload = await admin.data(CANCEL, id=missing)
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["id"])
    assert missing in error["message"]
    job = work.install("tiny")
    payload = await admin.data(CANCEL, id=job.id)
    (error,) = payload["userErrors"]
    assert (payload["job"], error["code"], error["field"]) == (None, "CONFLICT", ["id"])
    assert "COMPLETED" in error["message"]


async def test_id_is_read_as_people_type_it(admin: Client, work: Work):
    job = work.queue()
    typed = "  " + job.id.upper().replace("0", "O").replace("1", "I") + " "
    assert await admin.data("query($id: ID!) { job(id: $id) { id } }", id=typed) == {"id": job.id}


async def test_missing_thing_in_a_query_is_null(admin: Client):
    for document, prefix in (
        ("query($id: ID!) { job(id: $id) { id } }", Prefix.JOB),
        ("query($id: ID!) { node(id: $id) { id } }", Prefix.WEIGHTS),
        ("query($id: ID!) { node(id: $id) { id } }", Prefix.EVENT),
        ("query($id: ID!) { node(id: $id) { id } }", Prefix.TOKEN),
    ):
        assert await admin.data(document, id=new(prefix)) is None
    for path in ("a/b", "../x", "", "a\u0000b", "ä"):
        assert await admin.data("query($p: String!) { weights(path: $p) { id } }", p=path) is None


CURSORS = ["!", "ä", "a b", "====", "gA", "AA", "\u0000", "x" * 3000]


@pytest.mark.parametrize("cursor", CURSORS)
async def test_cursor_that_no_page_gave_is_a_top_level_error(
    admin: Client, work: Work, cursor: str
):
    job = work.install("tiny")
    for field in ("jobs", "allWeights"):
        document = f"query($a: String!) {{ {field}(after: $a) {{ nodes {{ id }} }} }}"
        assert (await admin.refused(document, a=cursor))["extensions"]["code"] == "BAD_CURSOR"
    for field in ("files { totalCount }", "logs { nodes { cursor } }"):
        name, _, rest = field.partition(" ")
        document = f"query($id: ID!, $a: String!) {{ job(id: $id) {{ {name}(after: $a) {rest} }} }}"
        error = await admin.refused(document, id=job.id, a=cursor)
        assert error["extensions"]["code"] == "BAD_CURSOR"


async def test_event_that_is_not_held_any_more_is_told_in_a_query(admin: Client):
    document = "query($a: ID!) { events(after: $a) { nodes { id } } }"
    error = await admin.refused(document, a=new(Prefix.EVENT))
    assert error["extensions"]["code"] == "NOT_FOUND"
    error = await admin.refused(document, a=new(Prefix.JOB))
    assert error["extensions"]["code"] == "BAD_ID"


async def test_unknown_location_is_told_in_a_query(admin: Client):
    told = {"code": "NOT_FOUND", "field": ["location"], "hint": "there is one: default"}
    for name, selection in (("storage", "{ used }"), ("allWeights", "{ totalCount }")):
        document = f"query($l: String!) {{ {name}(location: $l) {selection} }}"
        for location in ("moon", "", "a\u0000b"):
            error = await admin.refused(document, l=location)
            assert (error["path"], error["extensions"]) == ([name], told)


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00Z", "0999-12-31T23:00:00-01:00"])
async def test_times_long_ago_are_times(admin: Client, work: Work, since: str):
    work.queue()
    document = "query($s: DateTime!) { jobs(filter: { since: $s }) { totalCount } }"
    assert await admin.data(document, s=since) == {"totalCount": 1}


async def test_defect_is_masked_and_logged_under_its_request_id(api: Api, admin: Client):
    api.run(api.services.store.write(drop, "weights_files"))
    api.run(api.services.store.write(drop, "weights"))
    with structlog.testing.capture_logs() as logged:
        body = await admin.ask("{ allWeights { nodes { id } } system { version } }")
    (error,) = body["errors"]
    assert error["message"] == "Internal error"
    assert error["extensions"]["code"] == "INTERNAL"
    assert "weights" not in error["message"]
    (line,) = [line for line in logged if line["event"] == "request.failed"]
    assert line["request_id"] == error["extensions"]["requestId"]
    assert line["path"] == ["allWeights"]
    assert "weights" in str(line["exc_info"])


async def test_defect_over_a_websocket_is_masked_too(api: Api, admin: Client):
    api.run(api.services.store.write(drop, "weights_files"))
    api.run(api.services.store.write(drop, "weights"))
    async with admin.socket() as socket:
        await socket.init({"token": admin.token})
        await socket.subscribe("{ allWeights { nodes { id } } }")
        message = await socket.receive()
    (error,) = message["payload"]["errors"]
    assert error["message"] == "Internal error"
    assert error["extensions"].keys() == {"code", "requestId"}


async def test_requests_have_different_ids(api: Api, admin: Client):
    api.run(api.services.store.write(drop, "weights_files"))
    api.run(api.services.store.write(drop, "weights"))
    seen = {
        (await admin.refused("{ allWeights { totalCount } }"))["extensions"]["requestId"]
        for _ in range(3)
    }
    assert len(seen) == 3
