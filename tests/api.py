"""The api process inside the test run: the real application behind uvicorn, in a thread of its own.

Sync and async tests use it alike, over sockets; what only a database can show goes through `run`.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar
from unittest import mock

import uvicorn

from core import ids
from core.clock import now
from core.ids import TokenId
from core.principal import Scope
from core.services import Services
from core.tokens import repository as tokens
from core.tokens.entity import Token
from core.tokens.service import digest
from infra.settings import Settings, load
from server.api import configuration

START_TIMEOUT_S = 30
CALL_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
T = TypeVar("T")


def settings_of(env: Mapping[str, str]) -> Settings:
    """The settings of a process with these variables, whatever this machine's are."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLLM_", "HF_"))}
    with mock.patch.dict(os.environ, {**kept, **env}, clear=True):
        return load()


class Api:
    """`with Api(home, database_url=…, redis_url=…) as api:`; nothing is left behind.

    `env`: further variables. The database is migrated already.
    """

    def __init__(
        self,
        home: Path,
        *,
        database_url: str,
        redis_url: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings_of(
            {
                "MLLM_HOME": str(home),
                "MLLM_EMBEDDED": "1",
                "MLLM_DATABASE_URL": database_url,
                "MLLM_REDIS_URL": redis_url,
                "HF_ENDPOINT": "http://127.0.0.1:9",
                **(env or {}),
            }
        )
        self._config = configuration(self.settings)
        self._server = uvicorn.Server(self._config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._serve, name="api", daemon=True)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def services(self) -> Services:
        services: Services = self._config.app.state.services
        return services

    @property
    def admin(self) -> str:
        """The token that an embedded server keeps in its home."""
        return (self.settings.home / "admin.token").read_text().strip()

    @property
    def subscriptions(self) -> int:
        return self.services.events.subscriber_count

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Awaits it in the loop of the server, which owns the services."""
        loop = self._loop.result()
        return asyncio.run_coroutine_threadsafe(work, loop).result(CALL_TIMEOUT_S)

    def token(
        self,
        scope: Scope = Scope.READ,
        *,
        expires_at: datetime | None = None,
        revoked_at: datetime | None = None,
    ) -> str:
        """A new token with this scope."""
        token_id = ids.new(ids.Prefix.TOKEN)
        row = Token(
            id=TokenId(token_id),
            name=f"{scope.lower()} {token_id[-6:]}",
            hash=digest(token_id),
            scopes=scope,
            created_at=now(),
            expires_at=expires_at,
            revoked_at=revoked_at,
        )
        self.run(self.services.store.write(tokens.replace, row))
        return token_id

    def __enter__(self) -> Self:
        self._thread.start()
        self._loop.result(START_TIMEOUT_S)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S)
        self._socket.close()
        assert not self._thread.is_alive(), f"the api does not stop:\n{self._doing()}"

    def _doing(self) -> str:
        tasks = asyncio.all_tasks(self._loop.result())
        return "\n".join(f"{task!r}\n{task.get_stack()!r}" for task in tasks)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
            try:
                runner.run(self._server_until_told())
            except BaseException as e:
                if not self._loop.done():
                    self._loop.set_exception(e)
                raise

    async def _server_until_told(self) -> None:
        serving = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not serving.done():  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0.002)
        if serving.done():
            raise RuntimeError("the api did not start; its log tells why")
        self._loop.set_result(asyncio.get_running_loop())
        await serving
