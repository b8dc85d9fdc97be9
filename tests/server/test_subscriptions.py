"""Subscriptions: the present state first, then every change, and nothing left behind."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from core.ids import Prefix, new
from tests.api import Api
from tests.graphql_client import DEADLINE_S, Client, Stream, until
from tests.server.work import Work

JOB = """subscription($id: ID!) { jobUpdated(id: $id) {
  id state stage bytesDone bytesTotal progress finishedAt } }"""
JOBS = "subscription($f: JobFilter) { jobsUpdated(filter: $f) { id state } }"
LOG = "subscription($id: ID!, $a: String) { jobLogAdded(id: $id, after: $a) { cursor message } }"
EVENTS = """subscription($t: [String!], $a: ID) { eventAdded(types: $t, after: $a) {
  __typename ... on Event { id type subjectId } ... on EventGap { from to reason } } }"""


@pytest.fixture
def api(start: Callable[..., Api]) -> Iterator[Api]:
    api = start()
    yield api
    deadline = time.monotonic() + DEADLINE_S
    while api.subscriptions and time.monotonic() < deadline:
        time.sleep(0.005)  # a connection that was closed is noticed a moment later
    assert api.subscriptions == 0


async def subscribed(api: Api, count: int = 1) -> None:
    """Those who follow from now on have no first message that says so."""
    await until(lambda: api.subscriptions == count)


async def reached(changes: Stream, **wanted: object) -> list[dict[str, object]]:
    """Everything up to the first change with these values, which is the last.

    What happened just before a subscription may be told in it once more.
    """
    seen = []
    async with asyncio.timeout(DEADLINE_S):
        async for change in changes:
            seen.append(change)
            if wanted.items() <= change.items():
                return seen
    raise AssertionError(f"the stream ended without {wanted}: {seen}")


async def test_job_is_followed_from_its_present_state_to_its_end(admin: Client, work: Work):
    job = work.queue()
    async with admin.stream(JOB, id=job.id) as changes:
        assert (await anext(changes))["state"] == "PENDING"
        job = work.claim()
        await reached(changes, state="RUNNING")
        for bytes_done in (10, 20, 50):
            work.tick(job, bytes_done)
            shown = (await reached(changes, bytesDone=str(bytes_done)))[-1]
            assert shown["progress"] == bytes_done / 100
            assert shown["stage"] == "downloading"
        work.complete(job)
        *others, last = await changes.rest()
    assert {change["state"] for change in others} <= {"RUNNING"}
    assert (last["state"], last["bytesDone"], last["progress"]) == ("COMPLETED", "100", 1.0)
    assert last["finishedAt"]


async def test_bytes_never_go_back_when_a_row_is_older_than_a_tick(admin: Client, work: Work):
    job = work.start()
    async with admin.stream(JOB, id=job.id) as changes:
        assert (await anext(changes))["bytesDone"] == "0"
        work.tick(job, 40)
        await reached(changes, bytesDone="40")
        work.report(job, 30, sample=True)
        assert (await anext(changes))["bytesDone"] == "40"
        work.report(job, 60, sample=True)
        shown = await reached(changes, bytesDone="60")
    assert {change["bytesDone"] for change in shown} <= {"40", "60"}


@pytest.mark.parametrize("end", ["complete", "fail"])
async def test_job_that_has_ended_is_told_once(admin: Client, work: Work, end: str):
    job = work.start()
    getattr(work, end)(job)
    async with admin.stream(JOB, id=job.id) as changes:
        (only,) = await changes.rest()
    assert only["state"] == {"complete": "COMPLETED", "fail": "FAILED"}[end]


async def test_cancelled_and_purged_jobs_end_their_streams(admin: Client, work: Work):
    job = work.start()
    async with admin.stream(JOB, id=job.id) as changes:
        await anext(changes)
        await admin.data(
            "mutation($id: ID!) { jobCancel(id: $id) { userErrors { code } } }", id=job.id
        )
        states = [change["state"] for change in await changes.rest()]
    assert (states[-1], set(states) <= {"RUNNING", "CANCELLED"}) == ("CANCELLED", True)


async def test_paused_job_is_followed_further(admin: Client, work: Work):
    job = work.queue()
    pause = "mutation($id: ID!) { jobPause(id: $id) { userErrors { code } } }"
    async with admin.stream(JOB, id=job.id) as changes:
        await anext(changes)
        assert await admin.data(pause, id=job.id) == {"userErrors": []}
        await reached(changes, state="PAUSED")
        await admin.data(pause.replace("Pause", "Resume"), id=job.id)
        await reached(changes, state="PENDING")


@pytest.mark.parametrize("document", [JOB, LOG])
async def test_missing_job_is_told(admin: Client, document: str):
    async with admin.socket() as socket:
        await socket.init({"token": admin.token})
        await socket.subscribe(document, {"id": new(Prefix.JOB)})
        message = await socket.receive()
        (error,) = message["payload"]["errors"]
        assert error["extensions"] == {"code": "NOT_FOUND", "field": ["id"]}
        assert (await socket.receive())["type"] == "complete"


async def test_ticks_are_not_written_and_not_shown_for_an_earlier_run(admin: Client, work: Work):
    job = work.start()
    async with admin.stream(JOB, id=job.id) as changes:
        await anext(changes)
        late = work.start("other")
        late.id, late.epoch = job.id, job.epoch - 1
        work.tick(late, 90)
        work.tick(job, 10)
        shown = await reached(changes, bytesDone="10")
    assert {change["bytesDone"] for change in shown} <= {"0", "10"}


async def test_unfinished_jobs_come_first_and_then_those_that_match(
    api: Api, admin: Client, work: Work
):
    work.install("done")
    running = work.start("running")
    waiting = work.queue("waiting")
    async with admin.stream(JOBS) as changes:
        present = {job["id"]: job["state"] for job in await changes.take(2)}
        assert present == {running.id: "RUNNING", waiting.id: "PENDING"}
        work.complete(running)
        await reached(changes, id=running.id, state="COMPLETED")
        late = work.queue("late")
        await reached(changes, id=late.id, state="PENDING")


async def test_jobs_are_filtered_as_in_the_list(api: Api, admin: Client, work: Work):
    running = work.start("running")
    work.queue("waiting")
    async with (
        admin.stream(JOBS, f={"states": ["RUNNING", "COMPLETED"]}) as states,
        admin.stream(JOBS, f={"kinds": []}) as none,
        admin.stream(JOBS, f={"since": "2999-01-01T00:00:00Z"}) as later,
    ):
        await subscribed(api, 3)
        assert await anext(states) == {"id": running.id, "state": "RUNNING"}
        claimed = work.claim()
        work.fail(claimed)
        work.complete(running)
        seen = await reached(states, id=running.id, state="COMPLETED")
        assert {change["state"] for change in seen} <= {"RUNNING", "COMPLETED"}
        for silent in (none, later):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await anext(silent)


async def test_more_unfinished_jobs_than_a_page_come_all(api: Api, admin: Client, work: Work):
    queued = [work.queue(f"t{n}", sizes=(1,)).id for n in range(130)]
    async with admin.stream(JOBS) as changes:
        present = [job["id"] for job in await changes.take(130)]
        assert sorted(present) == sorted(queued)
        late = work.queue("late")
        await reached(changes, id=late.id)


async def test_more_changes_than_a_queue_holds_are_not_lost(start: Callable[..., Api]):
    """All jobs end in one transaction, while the reader's queue holds sixteen signals."""
    api = start(MLLM_FEED__SUBSCRIBER_QUEUE="16")
    work = Work(api)
    jobs = [work.start(f"t{n}", sizes=(1,)) for n in range(60)]
    async with (
        Client(api.url, api.admin) as client,
        client.stream(JOBS, f={"states": ["RUNNING", "FAILED"]}) as changes,
    ):
        assert {job["state"] for job in await changes.take(60)} == {"RUNNING"}
        work.fail(*jobs)
        failed: set[str] = set()
        while len(failed) < 60:
            change = await anext(changes)
            if change["state"] == "FAILED":
                failed.add(change["id"])
    assert failed == {job.id for job in jobs}
    await until(lambda: api.subscriptions == 0)
    assert api.services.events.stats.gaps > 0


async def test_log_is_read_from_the_start_and_completes_with_the_job(admin: Client, work: Work):
    job = work.start()
    work.log(job, "one", "two")
    async with admin.stream(LOG, id=job.id) as lines:
        assert [line["message"] for line in await lines.take(2)] == ["one", "two"]
        work.log(job, "three")
        assert (await anext(lines))["message"] == "three"
        work.log(job, "four")
        work.complete(job)
        assert [line["message"] for line in await lines.rest()] == ["four"]


async def test_log_resumes_after_each_cursor_exactly_once(admin: Client, work: Work):
    job = work.start()
    wanted = [f"line {n}" for n in range(30)]
    found: list[str] = []
    cursor: str | None = None
    written = 0
    while len(found) < 30:
        if written < 30:
            work.log(job, *wanted[written : written + 4])
            written = min(30, written + 4)
        async with admin.stream(LOG, id=job.id, a=cursor) as lines:
            for line in await lines.take(min(3, written - len(found))):
                cursor = line["cursor"]
                found.append(line["message"])
    work.complete(job)
    async with admin.stream(LOG, id=job.id, a=cursor) as lines:
        assert await lines.rest() == []
    assert found == wanted


async def test_log_longer_than_a_page_comes_whole(admin: Client, work: Work):
    job = work.start()
    for n in range(0, 1200, 300):
        work.log(job, *(f"line {m}" for m in range(n, n + 300)))
    work.complete(job)
    async with admin.stream(LOG, id=job.id) as lines:
        found = [line["message"] for line in await lines.rest()]
    assert found == [f"line {n}" for n in range(1200)]


async def test_bad_cursor_of_a_log_is_told(admin: Client, work: Work):
    job = work.start()
    async with admin.socket() as socket:
        await socket.init({"token": admin.token})
        await socket.subscribe(LOG, {"id": job.id, "a": "nonsense!"})
        (error,) = (await socket.receive())["payload"]["errors"]
    assert error["extensions"]["code"] == "BAD_CURSOR"


async def test_events_come_from_now_on_and_by_type(api: Api, admin: Client, work: Work):
    work.queue("before")
    head = api.run(api.services.feed.head())
    await until(lambda: api.services.events.position == head)
    async with (
        admin.stream(EVENTS) as everything,
        admin.stream(EVENTS, t=["job.completed", "weights.*"]) as some,
    ):
        await subscribed(api, 2)
        work.claim()
        job = work.install("tiny")
        assert [event["type"] for event in await everything.take(5)] == [
            "job.running",
            "job.pending",
            "job.running",
            "weights.installed",
            "job.completed",
        ]
        installed, completed = await some.take(2)
        assert (installed["type"], completed["type"]) == ("weights.installed", "job.completed")
        assert completed["subjectId"] == job.id


async def test_events_resume_after_an_id_in_order_and_once(admin: Client, work: Work):
    work.queue("first")
    cursor = (await admin.data("{ events { nodes { id } } }"))["nodes"][-1]["id"]
    wanted: list[str] = []
    found: list[str] = []
    for n in range(12):
        wanted += [work.queue(f"a{n}").id, work.queue(f"b{n}").id]
        async with admin.stream(EVENTS, a=cursor) as events:
            for event in await events.take(2 if n % 2 else 1):
                cursor = event["id"]
                found.append(event["subjectId"])
    async with admin.stream(EVENTS, a=cursor) as events:
        missed = await events.take(len(wanted) - len(found))
        live = work.queue("live")
        assert (await anext(events))["subjectId"] == live.id
    assert [*found, *(event["subjectId"] for event in missed)] == wanted


async def test_event_that_is_not_held_gives_a_gap_and_then_what_happens(
    api: Api, admin: Client, work: Work
):
    work.queue("before")
    (held,) = (await admin.data("{ events { nodes { id } } }"))["nodes"]
    lost = new(Prefix.EVENT)
    async with admin.stream(EVENTS, a=lost) as events:
        gap = await anext(events)
        assert gap == {
            "__typename": "EventGap",
            "from": lost,
            "to": held["id"],
            "reason": "not-held",
        }
        late = work.queue("late")
        assert (await anext(events))["subjectId"] == late.id


async def test_hundred_readers_of_one_job_all_see_it_end(api: Api, admin: Client, work: Work):
    job = work.start()
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(admin.socket()) for _ in range(10)]
        for socket in sockets:
            await socket.init({"token": admin.token})
            for n in range(10):
                await socket.subscribe(JOB, {"id": job.id}, id_=str(n))
        await subscribed(api, 100)
        for bytes_done in range(10, 100, 10):
            work.tick(job, bytes_done)
        work.complete(job)
        for socket in sockets:
            states: dict[str, list[tuple[str, int]]] = {str(n): [] for n in range(10)}
            completed: set[str] = set()
            while len(completed) < 10:
                message = await socket.receive()
                if message["type"] == "complete":
                    completed.add(message["id"])
                    continue
                shown = message["payload"]["data"]["jobUpdated"]
                states[message["id"]].append((shown["state"], int(shown["bytesDone"])))
            for seen in states.values():
                assert (seen[0][0], seen[-1]) == ("RUNNING", ("COMPLETED", 100))
                bytes_seen = [bytes_done for _state, bytes_done in seen]
                assert bytes_seen == sorted(bytes_seen)
        assert api.subscriptions == 0


async def test_unsubscribing_and_leaving_end_the_subscription(api: Api, admin: Client, work: Work):
    job = work.start()
    for document, variables in (
        (JOB, {"id": job.id}),
        (LOG, {"id": job.id}),
        (JOBS, {}),
        (EVENTS, {}),
    ):
        async with admin.socket() as socket:
            await socket.init({"token": admin.token})
            await socket.subscribe(document, variables)
            await subscribed(api)
            await socket.send({"id": "1", "type": "complete"})
            await subscribed(api, 0)
            await socket.subscribe(document, variables)
            await subscribed(api)
        await subscribed(api, 0)


async def test_reader_that_vanishes_without_a_word_is_forgotten(
    api: Api, admin: Client, work: Work
):
    job = work.start()
    async with admin.socket() as socket:
        await socket.init({"token": admin.token})
        await socket.subscribe(JOB, {"id": job.id})
        await subscribed(api)
        transport = socket.wire._writer.transport  # the wire itself, cut
        assert transport is not None
        transport.abort()
        await subscribed(api, 0)


async def test_operations_over_one_socket_end_at_a_hundred(api: Api, admin: Client, work: Work):
    async with admin.socket() as socket:
        await socket.init({"token": admin.token})
        for n in range(101):
            await socket.subscribe(EVENTS, id_=str(n))
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("100", "error")
        await subscribed(api, 100)
