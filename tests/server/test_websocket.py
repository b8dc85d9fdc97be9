"""graphql-transport-ws message by message: who may connect, and how a connection is refused.

Protocol: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import aiohttp
import pytest

from core.clock import now
from core.principal import Scope
from tests.api import Api
from tests.graphql_client import Client

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

VERSION = "{ system { version } }"
JOBS = "subscription { jobsUpdated { id } }"
CANCEL = 'mutation { jobCancel(id: "job_00000000000000000000000000") { userErrors { code } } }'


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Api:
    return shared_api


@pytest.mark.parametrize(
    "payload",
    [
        {"Authorization": "Bearer {admin}"},
        {"authorization": "bearer {admin}"},
        {"token": "{admin}"},
    ],
)
async def test_token_comes_in_the_payload(api: Api, anyone: Client, payload: dict[str, str]):
    async with anyone.socket() as socket:
        await socket.init({k: v.format(admin=api.admin) for k, v in payload.items()})
        await socket.subscribe(VERSION)
        message = await socket.receive()
        assert message["payload"]["data"]["system"]["version"]
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_token_comes_in_the_header_of_the_handshake(api: Api, anyone: Client):
    async with anyone.socket(headers={"Authorization": f"Bearer {api.admin}"}) as socket:
        await socket.init()
        await socket.subscribe(VERSION)
        assert (await socket.receive())["type"] == "next"


async def test_bad_token_in_the_payload_is_not_saved_by_a_good_header(api: Api, anyone: Client):
    async with anyone.socket(headers={"Authorization": f"Bearer {api.admin}"}) as socket:
        await socket.send({"type": "connection_init", "payload": {"token": "bad"}})
        assert await socket.closed() == (4403, "Forbidden")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "connection_init"},
        {"type": "connection_init", "payload": None},
        {"type": "connection_init", "payload": {}},
        {"type": "connection_init", "payload": {"Authorization": "Basic eDp5"}},
        {"type": "connection_init", "payload": {"token": 7}},
    ],
)
async def test_without_token_it_is_closed_with_4401(anyone: Client, message: dict[str, object]):
    async with anyone.socket() as socket:
        await socket.send(message)
        assert await socket.closed() == (4401, "Unauthorized")


async def test_with_a_bad_token_it_is_closed_with_4403(api: Api, anyone: Client):
    past = now() - timedelta(seconds=1)
    for token in ("nonsense", api.token(revoked_at=past), api.token(expires_at=past)):
        async with anyone.socket() as socket:
            await socket.send({"type": "connection_init", "payload": {"token": token}})
            assert await socket.closed() == (4403, "Forbidden")


async def test_token_in_the_address_is_ignored(api: Api, anyone: Client):
    address = f"/graphql?token={api.admin}&authorization=Bearer%20{api.admin}"
    async with anyone.session.ws_connect(address, protocols=("graphql-transport-ws",)) as wire:
        await wire.send_str('{"type":"connection_init"}')
        message = await wire.receive()
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)


async def test_reader_may_subscribe_and_not_change(api: Api, anyone: Client):
    async with anyone.socket() as socket:
        await socket.init({"token": api.token(Scope.READ)})
        await socket.subscribe(CANCEL)
        message = await socket.receive()
        (error,) = message["payload"]["errors"]
        assert error["extensions"] == {"code": "FORBIDDEN"}
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_subscribe_before_init_is_closed_with_4401(anyone: Client):
    async with anyone.socket() as socket:
        await socket.subscribe(JOBS)
        assert await socket.closed() == (4401, "Unauthorized")


@pytest.mark.parametrize("payload", [{}, {"token": "bad"}, {"token": "{admin}"}])
async def test_second_init_is_closed_with_4429(api: Api, anyone: Client, payload: dict[str, str]):
    async with anyone.socket() as socket:
        await socket.init({"token": api.admin})
        again = {k: v.format(admin=api.admin) for k, v in payload.items()}
        await socket.send({"type": "connection_init", "payload": again})
        assert await socket.closed() == (4429, "Too many initialisation requests")


async def test_two_operations_of_one_id_are_closed_with_4409(api: Api, anyone: Client):
    async with anyone.socket() as socket:
        await socket.init({"token": api.admin})
        await socket.subscribe(JOBS)
        await socket.subscribe(JOBS)
        assert await socket.closed() == (4409, "Subscriber for 1 already exists")


@pytest.mark.parametrize("protocol", ["graphql-ws", "nonsense"])
async def test_other_protocols_are_closed_with_4406(anyone: Client, protocol: str):
    async with anyone.socket(protocol=protocol) as socket:
        assert (await socket.closed())[0] == 4406


@ONE_DATABASE
async def test_silence_after_the_handshake_is_closed_with_4408(start: Callable[..., Api]):
    api = start(MLLM_LIMITS__CONNECTION_INIT_S="0.2")
    async with Client(api.url) as client, client.socket() as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


@ONE_DATABASE
async def test_init_in_time_is_not_closed_later(start: Callable[..., Api]):
    api = start(MLLM_LIMITS__CONNECTION_INIT_S="0.2")
    async with Client(api.url) as client, client.socket() as socket:
        await socket.init({"token": api.admin})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):  # twice the limit: nothing may come in that time
                await socket.wire.receive()
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_page_of_another_origin_is_refused_at_the_handshake(anyone: Client, origin: str):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with anyone.socket(headers={"Origin": origin}):
            pass
    assert refusal.value.status == 403


async def test_page_of_the_same_origin_is_served(api: Api, anyone: Client):
    async with anyone.socket(headers={"Origin": api.url}) as socket:
        await socket.init({"token": api.admin})


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '"text"',
        "null",
        "7",
        "{}",
        '{"type": "nonsense"}',
        '{"type": ["connection_init"]}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": "text"}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": 7}}',
        '{"type": "subscribe", "id": ["1"], "payload": {"query": "{ __typename }"}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": {}}',
    ],
)
async def test_malformed_message_is_closed_with_4400(
    api: Api, anyone: Client, text: str, caplog: pytest.LogCaptureFixture
):
    async with anyone.socket() as socket:
        await socket.init({"token": api.admin})
        await socket.wire.send_str(text)
        assert (await socket.closed())[0] == 4400
    assert caplog.records == []


async def test_payload_of_init_that_is_no_object_is_closed_with_4400(api: Api, anyone: Client):
    async with anyone.socket(headers={"Authorization": f"Bearer {api.admin}"}) as socket:
        await socket.wire.send_str('{"type": "connection_init", "payload": ["x"]}')
        assert (await socket.closed())[0] == 4400


async def test_binary_message_is_closed_with_4400(api: Api, anyone: Client):
    async with anyone.socket() as socket:
        await socket.init({"token": api.admin})
        await socket.wire.send_bytes(b"{}")
        assert (await socket.closed())[0] == 4400


async def test_syntax_error_is_closed_and_a_validation_error_only_ends_its_operation(
    api: Api, anyone: Client
):
    async with anyone.socket() as socket:
        await socket.init({"token": api.admin})
        await socket.subscribe("subscription { nothing }")
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "1")
        assert "nothing" in message["payload"][0]["message"]
        await socket.subscribe("subscription {")
        assert (await socket.closed())[0] == 4400


@pytest.mark.parametrize(
    "message",
    [
        {"type": "ü" * 400},
        {"type": "subscribe", "id": "1", "payload": {"query": "{ a } " + "ü" * 400}},
        {"type": "subscribe", "id": "1", "payload": {"query": VERSION, "operationName": "x" * 400}},
    ],
)
async def test_reason_of_a_close_fits_whatever_it_quotes(
    api: Api, anyone: Client, message: dict[str, object]
):
    async with anyone.socket() as socket:
        await socket.init({"token": api.admin})
        await socket.send(message)
        code, reason = await socket.closed()
        assert code == 4400
        assert 0 < len(reason.encode()) <= 123


@ONE_DATABASE
async def test_message_above_the_limit_is_closed_with_1009(start: Callable[..., Api]):
    api = start(MLLM_LIMITS__WEBSOCKET_MESSAGE_BYTES="2048")
    async with Client(api.url) as client, client.socket() as socket:
        await socket.init({"token": api.admin})
        await socket.subscribe("#" + "x" * 1800 + f"\n{VERSION}")
        assert (await socket.receive())["type"] == "next"
        assert (await socket.receive())["type"] == "complete"
        await socket.subscribe("#" + "x" * 2100 + f"\n{VERSION}")
        assert (await socket.closed())[0] == 1009


async def test_limit_of_messages_is_a_quarter_of_a_mebibyte(api: Api, anyone: Client):
    async with anyone.socket() as socket:
        await socket.init({"token": api.admin})
        await socket.subscribe("#" + "x" * (250 << 10) + f"\n{VERSION}")
        assert (await socket.receive())["type"] == "next"
        assert (await socket.receive())["type"] == "complete"
        await socket.subscribe("#" + "x" * (256 << 10) + f"\n{VERSION}")
        assert (await socket.closed())[0] == 1009
