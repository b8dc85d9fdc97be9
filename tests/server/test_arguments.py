"""Wrong arguments: of an install told in its payload, ids and documents at the top level."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ids import Prefix, new
from infra.valkey import Valkey
from tests.api import Api
from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.faults import Status
from tests.graphql_client import Client

INSTALL = """mutation($input: WeightsInstallInput!) {
  weightsInstall(input: $input) {
    job { id } storageUri inferenceModelPath joined userErrors { field code message hint }
  }
}"""
COUNT = "{ jobs { totalCount } }"


@pytest.fixture(scope="module")
def hub() -> Iterator[HubDouble]:
    with HubDouble([Repository(id="a/b", files={"config.json": b"{}"})]) as hub:
        yield hub


@pytest.fixture(scope="module")
def api(
    hub: HubDouble, sqlite_template: Path, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """One for all: nothing here leaves anything in its database."""
    home = tmp_path_factory.mktemp("home")
    path = shutil.copyfile(sqlite_template, home / "mllm.db")
    env = {"HF_ENDPOINT": hub.endpoint}
    with Api(home, database_url=f"sqlite:///{path}", redis_url=valkey.url, env=env) as api:
        yield api


async def mistake(client: Client, **fields: object) -> dict[str, object]:
    """The only user error of an install that was refused; nothing was queued."""
    payload = await client.data(INSTALL, input=fields)
    (error,) = payload.pop("userErrors")
    refused = {"job": None, "storageUri": None, "inferenceModelPath": None, "joined": False}
    assert payload == refused
    assert await client.data(COUNT) == {"totalCount": 0}
    return error


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"hubRepo": "no/such/name"}, "INVALID", "hubRepo"),
        ({"hubRepo": "../etc"}, "INVALID", "hubRepo"),
        ({"hubRepo": ""}, "INVALID", "hubRepo"),
        ({"hubRepo": "a/b", "revision": "../main"}, "INVALID", "revision"),
        ({"hubRepo": "a/b", "revision": ""}, "INVALID", "revision"),
        ({"hubRepo": "a/b", "target": "../x"}, "INVALID", "target"),
        ({"hubRepo": "a/b", "target": "/abs"}, "INVALID", "target"),
        ({"hubRepo": "a/b", "target": "a/../../b"}, "INVALID", "target"),
        ({"hubRepo": "a/b", "target": "a//b"}, "INVALID", "target"),
        ({"hubRepo": "a/b", "target": ".staging/x"}, "INVALID", "target"),
        ({"hubRepo": "a/b", "target": "a\u0000b"}, "INVALID", "target"),
        ({"hubRepo": "a/b", "target": "x" * 600}, "INVALID", "target"),
        ({"hubRepo": "a/b", "location": "moon"}, "NOT_FOUND", "location"),
        ({"hubRepo": "a/b", "priority": 101}, "INVALID", "priority"),
        ({"hubRepo": "a/b", "idempotencyKey": ""}, "INVALID", "idempotencyKey"),
        ({"hubRepo": "a/b", "idempotencyKey": "k" * 201}, "INVALID", "idempotencyKey"),
        ({"hubRepo": "a/b", "idempotencyKey": "a\u0000b"}, "INVALID", "idempotencyKey"),
        ({"hubRepo": "a/b", "ignore": ["*.bin", "a\u0000b"]}, "INVALID", "ignore"),
        ({"hubRepo": "a/b", "allow": ["*"] * 51}, "INVALID", "allow"),
        ({"hubRepo": "a/b", "allow": ["x" * 2000]}, "INVALID", "allow"),
    ],
)
async def test_mistake_in_an_argument_is_told_with_its_path(
    admin: Client, fields: dict[str, object], code: str, field: str
):
    error = await mistake(admin, **fields)
    assert (error["code"], error["field"]) == (code, ["input", field])
    assert error["message"]


async def test_hub_out_of_order_is_a_user_error_with_a_hint(hub: HubDouble, admin: Client):
    hub.faults.hub.set(Status(status=503))
    error = await mistake(admin, hubRepo="a/b")
    hub.faults.clear()
    assert error["code"] == "UNAVAILABLE"
    assert f"{hub.endpoint} answers 503" in str(error["message"])
    assert "HF_ENDPOINT" in str(error["hint"])


IDS = [
    "",
    "x",
    "job_",
    "job_123",
    "wts_{ulid}",
    "evt_{ulid}",
    "xyz_{ulid}",
    "job_{ulid}x",
    "\u0000",
]


@pytest.mark.parametrize("given", IDS)
async def test_malformed_id_is_a_top_level_error(admin: Client, given: str):
    wrong = given.format(ulid=new(Prefix.JOB)[4:])
    takes_any_kind = wrong.startswith(("wts_", "evt_", "xyz_"))
    for document in (
        "query($id: ID!) { job(id: $id) { id } }",
        "mutation($id: ID!) { jobCancel(id: $id) { job { id } } }",
        "mutation($id: ID!) { jobPause(id: $id) { job { id } } }",
        "mutation($id: ID!) { jobRetry(id: $id) { job { id } } }",
        "subscription($id: ID!) { jobUpdated(id: $id) { id } }",
        "subscription($id: ID!) { jobLogAdded(id: $id) { message } }",
        "query($id: ID!) { jobs(filter: { subjectId: $id }) { totalCount } }",
        "subscription($id: ID!) { jobsUpdated(filter: { subjectId: $id }) { id } }",
    ):
        if takes_any_kind and "subjectId" in document:
            continue
        async with admin.socket() as socket:
            await socket.init({"token": admin.token})
            await socket.subscribe(document, {"id": wrong})
            message = await socket.receive()
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert [error["extensions"]["code"] for error in errors] == ["BAD_ID"], document


@pytest.mark.parametrize(
    "document",
    [
        '{ jobs(filter: { since: "2026-01-01T00:00:00" }) { totalCount } }',
        '{ jobs(filter: { since: "yesterday" }) { totalCount } }',
        "{ jobs(filter: { since: 7 }) { totalCount } }",
        '{ jobs(filter: { since: "0001-01-01T00:00:00+23:59" }) { totalCount } }',
        "{ jobs(filter: { states: [LOST] }) { totalCount } }",
        "{ jobs(first: null) { totalCount } }",
        "{ jobs(first: 99999999999) { totalCount } }",
        "{ nothing }",
    ],
)
async def test_document_that_is_not_valid_is_told_by_validation(admin: Client, document: str):
    body = await admin.ask(document)
    (error,) = body["errors"]
    assert "extensions" not in error
    assert "Internal" not in error["message"]
