"""The SDK over the network: typed answers, errors as exceptions, lasting subscriptions."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import mllm_client
import pytest
from aiohttp import web
from mllm_client import (
    Client,
    GraphQLFailure,
    Retry,
    Unauthenticated,
    Unreachable,
    UserError,
    UserErrors,
)
from mllm_client._generated import JobFilter, JobState

from tests.client import data
from tests.client.double import TOKEN, Close, Double, Drop, answer, error, in_turn, refusal, steps

QUICK = Retry(first_s=0.01, longest_s=0.05, give_up_s=5.0)


@pytest.fixture
async def client(server: Double) -> AsyncIterator[Client]:
    async with Client(server.url, TOKEN, retry=QUICK) as client:
        yield client


def test_public_names_exist() -> None:
    assert all(hasattr(mllm_client, name) for name in mllm_client.__all__)


async def test_answers_are_typed(client: Client) -> None:
    page = await client.jobs(first=1)
    [job] = page.nodes

    assert (page.total_count, page.page_info.has_next_page) == (2, True)
    assert job.state is JobState.RUNNING
    assert job.bytes_total == 942 * data.MIB
    assert job.eta == timedelta(seconds=9)
    assert job.started_at == datetime(2026, 1, 31, 12, tzinfo=UTC)


async def test_unset_variables_are_not_sent(client: Client, server: Double) -> None:
    since = datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))
    await client.jobs(filter_=JobFilter(states=[JobState.FAILED], since=since))
    await client.events(since=since)
    await client.weights_install(data.REPO, priority=3)

    assert server.variables("Jobs") == [
        {"filter": {"states": ["FAILED"], "since": "2026-01-31T13:00:00+01:00"}}
    ]
    assert server.variables("Events") == [{"since": "2026-01-31T13:00:00+01:00"}]
    assert server.variables("WeightsInstall") == [{"hubRepo": data.REPO, "priority": 3}]
    assert {sent.authorization for sent in server.sent} == {f"Bearer {TOKEN}"}


async def test_missing_thing_is_none(client: Client) -> None:
    assert await client.weights("nowhere") is None


async def test_user_errors_are_raised(client: Client, server: Double) -> None:
    server.root["weightsInstall"] = refusal(
        {"field": ["input", "target"], "code": "INVALID", "message": "no", "hint": "h"}
    )

    with pytest.raises(UserErrors) as caught:
        await client.weights_install(data.REPO)

    assert caught.value.errors == [UserError(("input", "target"), "INVALID", "no", "h")]


async def test_failures_carry_code_and_request(client: Client, server: Double) -> None:
    server.http = lambda _: answer([error("Internal error", code="INTERNAL", requestId="r-1")])

    with pytest.raises(GraphQLFailure) as caught:
        await client.system()

    assert (caught.value.code, caught.value.request_id) == ("INTERNAL", "r-1")


async def test_wrong_token_is_unauthenticated_everywhere(server: Double) -> None:
    async with Client(server.url, "wrong") as client:
        with pytest.raises(Unauthenticated):
            await client.system()
        with pytest.raises(Unauthenticated):
            await anext(client.job_updated(data.JOB))

    assert [sent.operation for sent in server.sent] == ["System"]


async def test_nothing_there_is_unreachable_at_once() -> None:
    async with Client("http://127.0.0.1:1", TOKEN) as client:
        with pytest.raises(Unreachable, match="cannot reach"):
            await client.system()
        with pytest.raises(
            Unreachable, match=r"cannot reach http://127.0.0.1:1: Connection refused$"
        ):
            await anext(client.job_updated(data.JOB))


async def test_redirects_are_not_followed(client: Client, server: Double) -> None:
    with Double() as other:
        server.http = lambda _: web.Response(status=307, headers={"Location": other.url})

        with pytest.raises(Unreachable):
            await client.system()

        assert other.sent == []


async def test_subscription_ends_when_the_server_completes_it(client: Client) -> None:
    states = [job.state async for job in client.job_updated(data.JOB)]

    assert states == [JobState.RUNNING, JobState.COMPLETED]


async def test_subscription_carries_the_token_twice(client: Client, server: Double) -> None:
    await anext(client.job_updated(data.JOB))

    [sent] = server.sent
    assert sent.authorization == f"Bearer {TOKEN}"
    assert sent.init == {"Authorization": f"Bearer {TOKEN}"}


async def test_logs_go_on_after_the_last_line(client: Client, server: Double) -> None:
    first, second, third = data.log_lines()
    server.root["jobLogAdded"] = in_turn(
        steps("jobLogAdded", first, second, Drop()),
        steps("jobLogAdded", Close(1012, "restart")),
        steps("jobLogAdded", third),
    )

    lines = [line.message async for line in client.job_log_added(data.JOB)]

    assert lines == ["line 1", "line 2", "line 3"]
    assert server.variables("JobLogAdded") == [
        {"id": data.JOB},
        {"id": data.JOB, "after": "2"},
        {"id": data.JOB, "after": "2"},
    ]


async def test_events_go_on_after_the_last_event_or_gap(client: Client, server: Double) -> None:
    gap = {"__typename": "EventGap", "from": None, "to": data.LOST_EVENT, "reason": "not-held"}
    server.root["eventAdded"] = in_turn(
        steps("eventAdded", data.event(), Drop()),
        steps("eventAdded", gap, Drop()),
        steps("eventAdded", data.event(id=data.NEXT_EVENT)),
    )

    seen = [item.typename__ async for item in client.event_added(types=["job.*"])]

    assert seen == ["Event", "EventGap", "Event"]
    assert [sent.get("after") for sent in server.variables("EventAdded")] == [
        data.EVENT,
        data.EVENT,
        data.LOST_EVENT,
    ]


async def test_event_that_a_trimmed_gap_names_is_not_passed_over(
    client: Client, server: Double
) -> None:
    gap = {"__typename": "EventGap", "from": None, "to": data.LOST_EVENT, "reason": "trimmed"}
    server.root["eventAdded"] = in_turn(
        steps("eventAdded", gap, Drop()), steps("eventAdded", data.event(id=data.LOST_EVENT))
    )

    seen = [item.typename__ async for item in client.event_added(after=data.EVENT)]

    assert seen == ["EventGap", "Event"]
    assert [sent.get("after") for sent in server.variables("EventAdded")] == [data.EVENT] * 2


async def test_events_from_now_on_survive_a_loss_before_the_first(
    client: Client, server: Double
) -> None:
    """Nothing was seen yet, so only the newest event at the start says where to go on."""
    fresh = data.event(id=data.NEXT_EVENT)
    server.root["eventAdded"] = in_turn(steps("eventAdded", Drop()), steps("eventAdded", fresh))

    seen = [item.id async for item in client.event_added()]

    assert seen == [data.NEXT_EVENT]
    assert server.variables("EventAdded") == [{"after": data.EVENT}] * 2


async def test_first_event_of_an_empty_log_is_not_missed(client: Client, server: Double) -> None:
    server.root["events"] = data.event_log()
    server.root["eventAdded"] = steps("eventAdded", data.event(id=data.NEXT_EVENT))
    events = client.event_added(types=["job.*"])
    first = asyncio.ensure_future(anext(events))
    await asyncio.to_thread(server.await_request, "Events")
    installed = data.event(type="weights.installed")
    server.root["events"] = data.event_log(installed, data.event(id=data.LOST_EVENT))

    seen = [(await first).id, (await anext(events)).id]

    assert seen == [data.LOST_EVENT, data.NEXT_EVENT]
    assert server.variables("EventAdded") == [{"types": ["job.*"], "after": data.LOST_EVENT}]


async def test_lost_server_is_given_up_in_the_end(server: Double) -> None:
    server.root["jobUpdated"] = steps("jobUpdated", data.job(), Drop())
    told: list[str] = []
    impatient = Retry(first_s=0.01, longest_s=0.02, give_up_s=0.0)
    async with Client(
        server.url, TOKEN, retry=impatient, on_lost=lambda error, _: told.append(error.message)
    ) as client:
        with pytest.raises(Unreachable):
            _ = [job async for job in client.job_updated(data.JOB)]

    assert told == []
    assert len(server.variables("JobUpdated")) == 1


async def test_slow_reader_stops_the_reading(client: Client, server: Double) -> None:
    """What is not consumed stays with the server, which may coalesce it; memory stays bounded."""
    sent = 0

    async def endless(_info: object, **_: object) -> AsyncIterator[dict[str, object]]:
        nonlocal sent
        while True:
            sent += 1
            yield {"jobUpdated": data.job(message="x" * 10_000)}

    server.root["jobUpdated"] = endless
    updates = client.job_updated(data.JOB)
    await anext(updates)
    before = -1
    async with asyncio.timeout(20):
        while before != sent:
            before = sent
            await asyncio.sleep(0.5)

    # Sockets' buffers of both sides and 64 messages: some MB, not what a second of sending makes.
    assert sent < 2000
    await updates.aclose()  # type: ignore[attr-defined]
