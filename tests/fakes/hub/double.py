"""The hub for tests in this process: a thread with its own event loop.

Sync and async tests alike can use it, and block it as little as it blocks them.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Self, TypeVar

from tests.fakes.hub.counters import Counters
from tests.fakes.hub.faults import Fault
from tests.fakes.hub.options import HubOptions
from tests.fakes.hub.origin import Origin
from tests.fakes.hub.repositories import Content, File, Repository
from tests.fakes.hub.server import HubServer

START_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 30.0
T = TypeVar("T")
Call = Callable[[Callable[[], T]], T]


class OriginFaults:
    """The armed faults of one origin."""

    def __init__(self, origin: Origin, double: "HubDouble") -> None:
        self._board = origin.faults
        self._double = double

    def set(self, *faults: Fault) -> None:
        """Arms exactly these; without any, none."""
        self._double.call(lambda: self._board.set(faults))

    def fired(self, fault: Fault) -> int:
        """How often it has fired since it was set."""
        return self._double.call(lambda: self._board.fired(fault))


class HubFaults:
    """The faults of both origins."""

    def __init__(self, server: HubServer, double: "HubDouble") -> None:
        self.hub = OriginFaults(server.hub, double)
        self.cdn = OriginFaults(server.cdn, double)

    def clear(self) -> None:
        self.hub.set()
        self.cdn.set()


class HubDouble:
    """`with HubDouble(repositories) as hub:`; leaves no thread and no socket behind.

    Every member may be used from any thread but the double's own, and only inside the `with`.
    """

    def __init__(
        self, repositories: Iterable[Repository] = (), *, port: int = 0, cdn_port: int = 0
    ) -> None:
        self._server = HubServer(repositories)
        self._ports = port, cdn_port
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="hub-double", daemon=True)
        self.faults = HubFaults(self._server, self)

    def __enter__(self) -> Self:
        """Raises OSError if a given port is taken."""
        self._thread.start()
        if self._loop.exception(START_TIMEOUT_S):
            self._thread.join()
        self._loop.result()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.result().call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return self._server.hub.url

    @property
    def cdn(self) -> str:
        """Base address of the foreign origin."""
        return self._server.cdn.url

    @property
    def counters(self) -> Counters:
        """A snapshot."""
        return self.call(
            lambda: Counters(
                hub=self._server.hub.tally.snapshot(), cdn=self._server.cdn.tally.snapshot()
            )
        )

    @property
    def options(self) -> HubOptions:
        return self.call(lambda: self._server.switchboard.options)

    @options.setter
    def options(self, options: HubOptions) -> None:
        self.call(lambda: setattr(self._server.switchboard, "options", options))

    def reset_counters(self) -> None:
        self.call(self._server.hub.tally.reset)
        self.call(self._server.cdn.tally.reset)

    def add(self, repository: Repository) -> str:
        """Hosts a repository, in place of any of that id, and returns its commit."""
        return self.call(lambda: self._server.catalog.add(repository))

    def move_branch(
        self, repository_id: str, changes: Mapping[str, Content | None], *, branch: str = "main"
    ) -> str:
        """Commits changes (None: delete) to a branch, made from main if new; returns the commit."""
        return self.call(
            lambda: self._server.catalog.move_branch(repository_id, changes, branch=branch)
        )

    def mutate(self, repository_id: str, path: str, content: Content) -> None:
        """Main's present commit delivers this content from now on; its tree lists the old one."""
        self.call(lambda: self._server.catalog.mutate(repository_id, path, content))

    def file(self, repository_id: str, path: str, *, revision: str = "main") -> File:
        """What a commit says of a file: its hashes and size. Raises KeyError."""
        return self.call(lambda: self._server.catalog.file(repository_id, path, revision=revision))

    def call(self, function: Callable[[], T]) -> T:
        """Runs a function in the loop that owns the state of the double."""

        async def run() -> T:
            return function()

        loop = self._loop.result()
        return asyncio.run_coroutine_threadsafe(run(), loop).result(CALL_TIMEOUT_S)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        port, cdn_port = self._ports
        try:
            await self._server.start(port=port, cdn_port=cdn_port)
        except OSError as error:
            self._loop.set_exception(error)
            return
        self._loop.set_result(asyncio.get_running_loop())
        try:
            await self._stopping.wait()
        finally:
            await self._server.stop()
