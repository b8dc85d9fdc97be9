"""Those who watch: three followers of the whole event log over two wires, and some of single jobs.

Each notes what it was told and nothing else; what it should have been told is asked of the database
at the end. A lost connection is resumed as the protocol says, at once.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from mllm_client import Client as PublicClient
from mllm_client.subscriptions import Retry

from tests.graphql_client import Client

# The client of the tests asserts that an answer is one; a connection that is cut in between is not.
LOST = (aiohttp.ClientError, OSError, TimeoutError, AssertionError)
AGAIN_S = 0.05
TICKS = frozenset({"job.progress"})

EVENTS = """subscription($after: ID) { eventAdded(after: $after) {
  __typename ... on Event { id type } ... on EventGap { from to reason } } }"""
JOB = "subscription($id: ID!) { jobUpdated(id: $id) { state } }"
LINES = "subscription($id: ID!, $after: String) { jobLogAdded(id: $id, after: $after) { cursor } }"


@dataclass(slots=True)
class View:
    """What one follower of the log was told: ids in order, and gaps as they were worded."""

    name: str
    ids: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    reconnects: int = 0


@dataclass(slots=True)
class JobView:
    """What one follower of a job was told. `ended`: the server completed the subscription."""

    job_id: str
    states: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    ended: bool = False
    log_ended: bool = False


class Followers:
    """All of them as tasks; `stop` ends them."""

    def __init__(self, url: str, token: str) -> None:
        self._client = Client(url, token)
        self._public = PublicClient(url, token, retry=Retry(first_s=0.1, longest_s=1))
        self._tasks: list[asyncio.Task[None]] = []
        self.views = [View("eventAdded"), View("mllm_client"), View("GET /events")]
        self.jobs: list[JobView] = []
        self.losses: Counter[str] = Counter()

    async def start(self) -> None:
        """The views begin before there is any event: they must then hold all of them."""
        await self._client.__aenter__()
        await self._public.__aenter__()
        graphql, public, sse = self.views
        self._start(self._again(lambda: self._graphql(graphql), graphql))
        self._start(self._with_public_client(public))
        self._start(self._again(lambda: self._sse(sse), sse))

    def follow(self, job_id: str) -> None:
        view = JobView(job_id)
        self.jobs.append(view)
        self._start(self._again(lambda: self._job(view)))
        self._start(self._again(lambda: self._log(view)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.__aexit__(None, None, None)
        await self._public.__aexit__(None, None, None)
        for error in ended:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error

    def _start(self, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _again(self, once: Callable[[], Awaitable[None]], view: View | None = None) -> None:
        while True:
            try:
                await once()
            except LOST as e:
                self.losses[type(e).__name__] += 1
            else:
                if view is None:  # completed: the job has ended
                    return
            if view is not None:
                view.reconnects += 1
            await asyncio.sleep(AGAIN_S)

    async def _graphql(self, view: View) -> None:
        after = view.ids[-1] if view.ids else None
        async with self._client.stream(EVENTS, after=after) as stream:
            async for item in stream:
                if item["__typename"] == "Event":
                    view.ids.append(item["id"])
                else:
                    view.gaps.append(str(item))

    async def _with_public_client(self, view: View) -> None:
        async for item in self._public.event_added():
            if item.typename__ == "Event":
                view.ids.append(item.id)
            else:
                view.gaps.append(str(item))

    async def _sse(self, view: View) -> None:
        last = view.ids[-1] if view.ids else None
        async with self._client.events("?seed=0", last_event_id=last) as frames:
            async for frame in frames:
                if frame.id is not None:
                    view.ids.append(frame.id)
                elif frame.event == "stream.gap":
                    view.gaps.append(str(frame.data))

    async def _job(self, view: JobView) -> None:
        async with self._client.stream(JOB, id=view.job_id) as stream:
            async for job in stream:
                if not view.states or view.states[-1] != job["state"]:
                    view.states.append(job["state"])
        view.ended = True

    async def _log(self, view: JobView) -> None:
        after = view.cursors[-1] if view.cursors else None
        async with self._client.stream(LINES, id=view.job_id, after=after) as stream:
            async for line in stream:
                view.cursors.append(line["cursor"])
        view.log_ended = True
