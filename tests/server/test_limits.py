"""What one request may cost; what is refused is told with a code, and costs nothing."""

import asyncio
import time
from collections.abc import Callable

import orjson
import pytest
from graphql import get_introspection_query

from tests.api import Api
from tests.graphql_client import DEADLINE_S, Client

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MIB = 1 << 20


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Api:
    return shared_api


def nested(depth: int) -> str:
    """A document with so many fields with selections on one way down: jobs, nodes, subject, …"""
    inner = "{ __typename }"
    for _ in range(depth - 2):
        inner = f"{{ ... on Event {{ subject {inner} }} }}"
    return f"{{ events {{ nodes {inner} }} }}"


async def limited(client: Client, document: str) -> str:
    """Fails unless refused for its cost alone, and nothing was executed."""
    body = await client.ask(document)
    (error,) = body["errors"]
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED"}
    assert body["data"] is None
    return str(error["message"])


async def test_depth_ends_at_twelve(admin: Client):
    assert "errors" not in await admin.ask(nested(12))
    assert "depth of an operation must not exceed 12" in await limited(admin, nested(13))


async def test_depth_is_counted_through_fragments(admin: Client):
    fragment = " fragment F on Event { subject { ... on Event { subject { id } } } }"
    deep = nested(11).replace("__typename", "...F")
    assert "depth" in await limited(admin, deep + fragment)
    shallow = nested(10).replace("__typename", "...F")
    assert "errors" not in await admin.ask(shallow + fragment)


async def test_introspection_is_deep_and_answered(admin: Client):
    assert "errors" not in await admin.ask(get_introspection_query(descriptions=True))


async def test_aliases_end_at_twenty(admin: Client):
    def aliased(count: int) -> str:
        return "{ " + " ".join(f"a{n}: __typename" for n in range(count)) + " }"

    assert len((await admin.ask(aliased(20)))["data"]) == 20
    assert "aliases" in await limited(admin, aliased(21))


async def test_aliases_in_a_fragment_count_each_time_it_is_spread(admin: Client):
    fragment = " fragment F on System { " + " ".join(f"a{n}: version" for n in range(7)) + " }"
    assert "errors" not in await admin.ask("{ system { ...F ...F } }" + fragment)
    assert "aliases" in await limited(admin, "{ system { ...F ...F ...F } }" + fragment)


async def test_fragments_that_double_each_other_cost_nothing(admin: Client):
    fragments = [
        f"fragment F{n} on Query {{ a: __typename ...F{n + 1} ...F{n + 1} }}" for n in range(60)
    ]
    document = "{ ...F0 } fragment F60 on Query { __typename } " + " ".join(fragments)
    began_s = time.monotonic()
    assert "aliases" in await limited(admin, document)
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "spread"),
        ("{ ...Nothing }", "Unknown fragment"),
    ],
)
async def test_odd_fragments_are_mistakes_and_no_defects(
    admin: Client, document: str, message: str
):
    body = await admin.ask(document)
    assert all("extensions" not in error for error in body["errors"])
    assert message in body["errors"][0]["message"]


async def test_tokens_end_at_a_thousand(admin: Client):
    def long(count: int) -> str:
        return "{ events(types: [" + '"x" ' * (count - 15) + "]) { nodes { id } } }"

    assert "errors" not in await admin.ask(long(1000))
    assert "1000 tokens" in await limited(admin, long(1001))


@pytest.mark.parametrize(
    "document",
    ["{a " * 300, "{a(b: " + "[" * 300, "{a(b: " + "{c: " * 300, "query($a: " + "[" * 300],
)
async def test_nesting_that_would_exhaust_the_stack_is_refused(admin: Client, document: str):
    await limited(admin, document)


async def test_too_much_is_told_over_a_websocket_as_well(admin: Client):
    async with admin.socket() as socket:
        await socket.init({"token": admin.token})
        for document in (nested(13), "{ " + "__typename " * 1000 + "}"):
            await socket.subscribe(document)
            message = await socket.receive()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"] == {"code": "LIMIT_EXCEEDED"}


@ONE_DATABASE
async def test_limits_are_settings(start: Callable[..., Api]):
    api = start(MLLM_LIMITS__DEPTH="2", MLLM_LIMITS__ALIASES="1", MLLM_LIMITS__BODY_BYTES="2048")
    async with Client(api.url, api.admin) as client:
        assert "must not exceed 2" in await limited(client, nested(3))
        assert "must not exceed 1" in await limited(client, "{ a: __typename b: __typename }")
        assert (await client.post(b" " * 2049)).status == 413


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
async def test_page_size_out_of_bounds_is_an_error(admin: Client, first: int):
    for document in (
        "query($first: Int!) { jobs(first: $first) { nodes { id } } }",
        "query($first: Int!) { allWeights(first: $first) { nodes { id } } }",
        "query($first: Int!) { events(first: $first) { nodes { id } } }",
    ):
        error = await admin.refused(document, first=first)
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED"}
        assert error["message"] == f"first must be between 1 and 100, not {first}"


def body_of(size_bytes: int) -> bytes:
    empty = orjson.dumps({"query": "{ __typename }", "extensions": {"padding": ""}})
    padding = "x" * (size_bytes - len(empty))
    return orjson.dumps({"query": "{ __typename }", "extensions": {"padding": padding}})


async def raw(client: Client, headers: str, body: bytes) -> bytes:
    """The answer to what is written, before the request is complete."""
    _scheme, _, address = client.url.partition("://")
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Authorization: Bearer {client.token}\r\n{headers}\r\n\r\n".encode())
    writer.write(body)
    await writer.drain()
    async with asyncio.timeout(DEADLINE_S):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_body_ends_at_one_mebibyte(admin: Client):
    answer = await admin.post(body_of(MIB))
    assert (answer.status, answer.body) == (200, {"data": {"__typename": "Query"}})
    refusal = await raw(admin, f"Content-Length: {MIB + 1}", b"")
    assert refusal.startswith(b"HTTP/1.1 413 ")
    assert b"request body too large" in refusal


async def test_chunked_body_ends_at_one_mebibyte_too(
    admin: Client, caplog: pytest.LogCaptureFixture
):
    def chunk(data: bytes) -> bytes:
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"

    told = "Transfer-Encoding: chunked\r\nConnection: close"
    whole = await raw(admin, told, chunk(body_of(MIB)) + b"0\r\n\r\n")
    assert whole.endswith(b'{"data":{"__typename":"Query"}}')
    refusal = await raw(admin, "Transfer-Encoding: chunked", chunk(b" " * MIB) + chunk(b" "))
    assert refusal.startswith(b"HTTP/1.1 413 ")
    assert refusal.endswith(b"request body too large")
    assert caplog.records == []


async def test_queries_by_get_are_refused(admin: Client):
    answer = await admin.get("/graphql", params={"query": "{ __typename }"})
    assert answer.status in (400, 405)
    assert "not allowed when using GET" in answer.text
    assert "__typename" not in answer.text.replace("{ __typename }", "")


async def test_batches_are_refused(admin: Client):
    answer = await admin.post([{"query": "{ __typename }"}])
    assert answer.status == 400
    assert "atch" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b'{"query": null}',
        b'{"query": 7}',
        b'{"query": ""}',
        b'{"query": "{ __typename }", "variables": 7}',
        b'{"query": "{ __typename }", "operationName": 7}',
        b'{"query": "{ __typename }", "operationName": "Other"}',
        b"\xff\xfe",
        b"[" * 2000,
    ],
)
async def test_malformed_request_is_told_and_no_defect(
    admin: Client, caplog: pytest.LogCaptureFixture, body: bytes
):
    answer = await admin.post(body)
    assert answer.status == 400, answer
    assert "Internal" not in answer.text
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_content_that_a_foreign_page_could_post_is_refused(admin: Client, kind: str):
    answer = await admin.post({"query": "{ __typename }"}, headers={"Content-Type": kind})
    assert answer.status == 400


async def test_other_methods_are_refused(admin: Client):
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await admin.request(method, "/graphql")).status == 405
