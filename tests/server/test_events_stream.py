"""GET /events: the feed as server-sent events, seeded, live and resumable."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from core.ids import Prefix, new
from tests.api import Api
from tests.graphql_client import DEADLINE_S, Client, Frame, until
from tests.server.work import Work

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def take(frames: AsyncIterator[Frame], count: int) -> list[Frame]:
    return [await anext(frames) for _ in range(count)]


async def seed(frames: AsyncIterator[Frame]) -> list[Frame]:
    """The events between the markers; fails if the markers are not as told."""
    start = await anext(frames)
    while start.comment:  # a slow machine is silent for longer than a short heartbeat
        start = await anext(frames)
    assert (start.event, start.id) == ("stream.seed.start", None)
    events = await take(frames, start.data["count"])
    complete = await anext(frames)
    assert (complete.event, complete.id) == ("stream.seed.complete", None)
    assert complete.data == start.data
    return events


def subjects(frames: list[Frame]) -> list[str]:
    return [frame.data["subjectId"] for frame in frames]


async def test_stream_begins_with_the_last_events_between_markers(admin: Client, work: Work):
    queued = [work.queue(f"t{n}").id for n in range(25)]
    async with admin.events() as frames:
        events = await seed(frames)
        assert subjects(events) == queued[-20:]
        live = work.queue("live")
        events.append(await anext(frames))
    assert events[-1].data["subjectId"] == live.id
    for frame in events:
        assert frame.event == "job.pending"
        assert frame.data.keys() == {"id", "type", "at", "subjectId", "detail"}
        assert frame.id == frame.data["id"]
        assert frame.data["type"] == frame.event
        assert frame.data["at"].endswith("+00:00")


@ONE_DATABASE
@pytest.mark.parametrize(("query", "count"), [("?seed=0", 0), ("?seed=2", 2), ("?seed=1000", 4)])
async def test_length_of_the_seed_is_asked_for(admin: Client, work: Work, query: str, count: int):
    queued = [work.queue(f"t{n}").id for n in range(4)]
    async with admin.events(query) as frames:
        assert subjects(await seed(frames)) == queued[4 - count :]


async def test_length_of_the_seed_is_a_setting(start: Callable[..., Api]):
    api = start(MLLM_FEED__SEED_COUNT="3")
    work = Work(api)
    queued = [work.queue(f"t{n}").id for n in range(5)]
    async with Client(api.url, api.admin) as client, client.events() as frames:
        assert subjects(await seed(frames)) == queued[2:]


async def test_samples_of_progress_are_live_and_no_part_of_the_seed(admin: Client, work: Work):
    job = work.start()
    work.report(job, 10, sample=True)
    async with admin.events() as frames:
        assert [f.event for f in await seed(frames)] == ["job.pending", "job.running"]
        work.report(job, 20, sample=True)
        frame = await anext(frames)
    assert (frame.event, frame.id is None) == ("job.progress", False)
    assert (frame.data["subjectId"], frame.data["detail"]["bytesDone"]) == (job.id, "20")


async def test_ticks_of_progress_are_live_and_have_no_id(api: Api, admin: Client, work: Work):
    job = work.start()
    async with admin.events("?seed=0") as frames:
        await seed(frames)
        await until(lambda: api.subscriptions == 1)
        for bytes_done in (10, 20, 30):
            work.tick(job, bytes_done)
            frame = await anext(frames)
            assert (frame.event, frame.id) == ("job.progress", None)
            assert frame.data["detail"]["bytesDone"] == str(bytes_done)
            assert frame.data["detail"]["jobId"] == job.id
        work.complete(job)
        installed, completed = await take(frames, 2)
    assert (installed.event, completed.event) == ("weights.installed", "job.completed")
    assert completed.data["subjectId"] == job.id


@pytest.mark.parametrize(
    ("types", "seeded", "live"),
    [
        ("job.completed", ["job.completed"], ["job.completed"]),
        ("weights.*", ["weights.installed"], ["weights.installed"]),
        ("job.running,%20weights.*", ["job.running", "weights.installed"], ["job.running"]),
        ("nothing", [], []),
    ],
)
async def test_types_choose_what_is_seeded_and_what_comes(
    admin: Client, work: Work, types: str, seeded: list[str], live: list[str]
):
    work.install("before")
    async with admin.events(f"?types={types}") as frames:
        assert [frame.event for frame in await seed(frames)] == seeded
        job = work.start("now")
        work.tick(job, 10)
        work.complete(job)
        assert [frame.event for frame in await take(frames, len(live))] == live


async def test_last_event_id_resumes_in_order_exactly_once(admin: Client, work: Work):
    work.queue("first")
    async with admin.events() as frames:
        last_id = (await seed(frames))[-1].id
    wanted: list[str] = []
    found: list[str] = []
    for n in range(10):
        wanted += [work.queue(f"a{n}").id, work.queue(f"b{n}").id]
        async with admin.events(last_event_id=last_id) as frames:
            for frame in await take(frames, 3 if n % 2 else 1):
                last_id = frame.id
                found.append(frame.data["subjectId"])
    assert found == wanted[: len(found)]
    async with admin.events(last_event_id=last_id) as frames:
        live = work.queue("live").id
        rest = await take(frames, 1 + len(wanted) - len(found))
    assert [*found, *subjects(rest)] == [*wanted, live]


async def test_event_that_is_not_held_gives_a_gap_without_an_id(
    api: Api, admin: Client, work: Work
):
    held = work.queue("held")
    lost = new(Prefix.EVENT)
    async with admin.events(last_event_id=lost) as frames:
        gap = await anext(frames)
        late = work.queue("late")
        event = await anext(frames)
    assert (gap.event, gap.id) == ("stream.gap", None)
    assert (gap.data["from"], gap.data["reason"]) == (lost, "not-held")
    assert gap.data["to"].startswith("evt_")
    assert event.data["subjectId"] == late.id
    assert held.id != late.id


async def test_silence_is_filled_with_comments(start: Callable[..., Api]):
    api = start(MLLM_FEED__HEARTBEAT_S="0.1")
    work = Work(api)
    async with Client(api.url, api.admin) as client, client.events("?seed=0") as frames:
        await seed(frames)
        assert await take(frames, 3) == [Frame(comment="heartbeat")] * 3
        job = work.queue()
        async with asyncio.timeout(DEADLINE_S):
            frame = await anext(frames)
            while frame.comment:
                frame = await anext(frames)
        assert frame.data["subjectId"] == job.id
        assert await anext(frames) == Frame(comment="heartbeat")


@ONE_DATABASE
@pytest.mark.parametrize(
    "query", ["?seed=x", "?seed=-1", "?seed=1001", "?seed=1.5", f"?seed={'9' * 5000}", "?seed=%00"]
)
async def test_bad_seed_is_told(admin: Client, query: str):
    answer = await admin.get(f"/events{query}")
    assert answer.status == 400
    (error,) = answer.body["errors"]
    assert error["extensions"]["code"] == "INVALID"
    assert error["message"] == "seed must be a number from 0 to 1000"


@ONE_DATABASE
@pytest.mark.parametrize("last_id", ["nonsense", "evt_1", "job_00000000000000000000000000"])
async def test_bad_last_event_id_is_told(admin: Client, last_id: str):
    answer = await admin.get("/events", headers={"Last-Event-ID": last_id})
    assert answer.status == 400
    assert answer.body["errors"][0]["extensions"]["code"] == "BAD_ID"


async def test_stream_is_not_to_be_cached_or_changed_on_its_way(api: Api, admin: Client):
    async with admin.session.get("/events", headers=admin.headers) as response:
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"
        await until(lambda: api.subscriptions == 1)


async def test_reader_that_leaves_is_forgotten(api: Api, admin: Client, work: Work):
    for _ in range(3):
        async with admin.events() as frames:
            await seed(frames)
            await until(lambda: api.subscriptions == 1)
        await until(lambda: api.subscriptions == 0)


async def test_thirty_readers_each_get_every_event(api: Api, admin: Client, work: Work):
    async def read(count: int) -> list[str]:
        async with admin.events("?seed=0") as frames:
            await seed(frames)
            return subjects(await take(frames, count))

    readers = [asyncio.create_task(read(10)) for _ in range(30)]
    await until(lambda: api.subscriptions == 30)
    queued = [work.queue(f"t{n}").id for n in range(10)]
    assert await asyncio.gather(*readers) == [queued] * 30
    await until(lambda: api.subscriptions == 0)
