"""Who may ask what, over HTTP: one bearer token, nowhere but in the Authorization header."""

from datetime import timedelta

import pytest

from core.clock import now
from core.ids import Prefix, new
from core.principal import Scope
from tests.api import Api
from tests.graphql_client import Client

VERSION = "{ system { version } }"
CANCEL = "mutation($id: ID!) { jobCancel(id: $id) { job { id } userErrors { code } } }"


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Api:
    return shared_api


def unauthenticated(answer) -> None:
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="mllm"'
    (error,) = answer.body["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert answer.body["data"] is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic {admin}",
        "{admin}",
        "Token {admin}",
        "Bearer {admin} x",
    ],
)
async def test_without_a_good_bearer_token_nothing_is_answered(
    api: Api, anyone: Client, header: str | None
):
    headers = {} if header is None else {"Authorization": header.format(admin=api.admin)}
    unauthenticated(await anyone.post({"query": VERSION}, headers=headers))
    unauthenticated(await anyone.get("/events", headers=headers))
    unauthenticated(await anyone.get("/metrics", headers=headers))


async def test_missing_token_says_where_to_find_one(anyone: Client):
    answer = await anyone.post({"query": VERSION})
    assert "admin.token" in answer.body["errors"][0]["extensions"]["hint"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_scheme_is_read_in_any_case(api: Api, anyone: Client, scheme: str):
    headers = {"Authorization": f"{scheme} {api.admin}"}
    assert (await anyone.post({"query": VERSION}, headers=headers)).body["data"]


@pytest.mark.parametrize("name", ["token", "access_token", "authorization"])
async def test_token_in_the_query_string_is_ignored(api: Api, anyone: Client, name: str):
    unauthenticated(await anyone.get(f"/events?{name}={api.admin}"))
    answer = await anyone.request("POST", f"/graphql?{name}={api.admin}", json={"query": VERSION})
    unauthenticated(answer)


async def test_unauthenticated_document_is_not_even_parsed(anyone: Client):
    unauthenticated(await anyone.post({"query": "{ this is no GraphQL"}))
    unauthenticated(await anyone.post(b"no JSON"))


async def test_revoked_and_expired_tokens_are_refused(api: Api):
    past, future = now() - timedelta(seconds=1), now() + timedelta(hours=1)
    for token in (api.token(revoked_at=past), api.token(expires_at=past)):
        async with Client(api.url, token) as client:
            unauthenticated(await client.post({"query": VERSION}))
    async with Client(api.url, api.token(expires_at=future)) as client:
        assert "errors" not in await client.ask(VERSION)


async def test_reader_reads_and_changes_nothing(api: Api):
    async with Client(api.url, api.token(Scope.READ)) as client:
        assert "errors" not in await client.ask(VERSION)
        error = await client.refused(CANCEL, id=new(Prefix.JOB))
    assert error == {
        "message": "this needs a token with the scope WRITE",
        "path": ["jobCancel"],
        "extensions": {"code": "FORBIDDEN"},
    }


@pytest.mark.parametrize("scope", [Scope.WRITE, Scope.ADMIN])
async def test_writer_and_admin_may_change(api: Api, scope: Scope):
    async with Client(api.url, api.token(scope)) as client:
        payload = await client.data(CANCEL, id=new(Prefix.JOB))
    assert payload == {"job": None, "userErrors": [{"code": "NOT_FOUND"}]}


async def test_health_is_open_and_short(anyone: Client):
    for path in ("/healthz", "/health"):
        answer = await anyone.get(path)
        assert (answer.status, answer.text) == (200, "ok\n")
    assert (await anyone.get("/readyz")).text == "waiting for workers\n"
