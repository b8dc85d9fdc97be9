"""Subscriptions that survive a lost connection.

A broken connection is opened again after a jittered, growing pause. What happens then depends on
the field: entity subscriptions start with the present state by themselves; logs and events go on
where they were (`position`), so that none is lost or repeated. Refused tokens and mistakes in the
request end the subscription at once.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from gql.transport.exceptions import TransportError, TransportQueryError
from graphql import ExecutionResult

from mllm_client import wire
from mllm_client._generated.documents import EVENTS
from mllm_client.config import Server
from mllm_client.document import Document
from mllm_client.errors import MllmError, Unreachable, failure, refused
from mllm_client.position import Position
from mllm_client.transport import unreachable

# Bad message, subprotocol not acceptable, subscriber exists: our mistake, a second try repeats it
# (PROTOCOL.md of graphql-ws).
FATAL_CODES = frozenset({4400, 4406, 4409})
REFUSED_CODES = frozenset({4401, 4403})
# Going away and service restart; no close frame at all (IANA's registry, RFC 6455, section 7.4).
RESTART_CODES = frozenset({1001, 1012})
BROKEN_CODE = 1006


@dataclass(frozen=True, slots=True)
class Retry:
    """Pauses between attempts: full jitter over `first_s`, doubled each time up to `longest_s`.

    `give_up_s`: how long the server may stay away before Unreachable is raised; None: for ever. The
    very first connection is not retried: a wrong address should be told at once.
    """

    first_s: float = 0.25
    longest_s: float = 10.0
    give_up_s: float | None = None

    def pause_s(self, attempt: int) -> float:
        return random.uniform(0, min(self.longest_s, self.first_s * 2.0**attempt))  # noqa: S311


Lost = Callable[[MllmError, float], None]
"""Told about a lost connection: the reason, and the seconds until the next attempt."""


async def follow(
    server: Server,
    document: Document,
    *,
    variables: dict[str, Any],
    retry: Retry | None = None,
    on_lost: Lost | None = None,
    since: datetime | None = None,
) -> AsyncGenerator[dict[str, Any], None]:
    """The data of each answer, until the server completes the subscription.

    `since`: of events, begin with those then or later; None: from now on, or after what the
    variables say.

    Raises Unauthenticated, Forbidden, GraphQLFailure, and Unreachable when the server cannot be
    reached at first or stays away longer than `retry.give_up_s`.
    """
    retry = retry or Retry()
    position = Position(document, variables, since=since)
    clock = asyncio.get_running_loop().time
    attempt, stands_since, lost_at = 0, None, 0.0
    while True:
        try:
            async with contextlib.aclosing(once(server, document, position)) as answers:
                async for data in answers:
                    if data is None:
                        stands_since = clock()
                        continue
                    attempt = 0
                    position.advance(data)
                    yield data
            return
        except Unreachable as error:
            if stands_since is None:
                raise
            if clock() - stands_since > retry.longest_s:
                attempt = 0
            lost_at = clock() if attempt == 0 else lost_at
            if retry.give_up_s is not None and clock() - lost_at >= retry.give_up_s:
                raise
            pause_s = retry.pause_s(attempt)
            attempt += 1
            if on_lost is not None:
                on_lost(error, pause_s)
            await asyncio.sleep(pause_s)


async def once(
    server: Server, document: Document, position: Position
) -> AsyncGenerator[dict[str, Any] | None, None]:
    """One connection: None as soon as it stands, then each answer.

    Translates every failure, retries nothing.
    """
    async with wire.session() as session:
        socket = wire.Socket(server, session)
        try:
            await socket.connect()
            yield None
            if not position.is_known:
                first = await position.find(lambda variables: events(socket, variables))
                if first is not None:
                    yield {document.root: first}
            request = wire.StoredRequest(
                document.text, variables=position.variables, operation=document.name or None
            )
            async with contextlib.aclosing(socket.results(request)) as results:
                async for result in results:
                    yield checked(result)
        except (TransportError, TimeoutError) as error:
            raise translated(server, error) from error
        finally:
            await socket.close()


async def events(socket: wire.Socket, variables: dict[str, Any]) -> list[Any]:
    """A page of events, asked for on the connection that stands."""
    request = wire.StoredRequest(EVENTS.text, variables=variables, operation=EVENTS.name)
    async with contextlib.aclosing(socket.results(request)) as results:
        async for result in results:
            return list(checked(result)[EVENTS.root]["nodes"])
    return []


def checked(result: ExecutionResult) -> dict[str, Any]:
    """The data of an answer. Raises GraphQLFailure and its siblings when it has errors."""
    if result.errors or result.data is None:
        errors: Any = result.errors or [{"message": "the server sent an empty answer"}]
        raise failure(errors, data=result.data)
    return result.data


def translated(server: Server, error: Exception) -> MllmError:
    """What a failure of gql or aiohttp means to the caller."""
    match error, error.__cause__:
        case TransportQueryError(errors=list() as errors), _:
            return failure(errors)
        case wire.ConnectionClosed(code=int() as code, reason=reason), _:
            return closed(code, reason)
        case _, aiohttp.WSServerHandshakeError(status=status, message=message):
            return refused(status, message)
        case TimeoutError(), _:
            return Unreachable(f"{server.url} did not answer in time")
        case _, cause:
            return unreachable(server, cause or error)


def closed(code: int, reason: str) -> MllmError:
    """What a close code means: a refusal, a mistake of ours, or worth another try."""
    if code in REFUSED_CODES:
        return refused(code, reason)
    if code in FATAL_CODES:
        return failure(
            [{"message": f"the server closed the subscription: {code} {reason}".rstrip()}]
        )
    if code in RESTART_CODES:
        return Unreachable("the server is restarting")
    if code == BROKEN_CODE:
        return Unreachable("the connection broke")
    return Unreachable(f"the server closed the connection ({code} {reason}".rstrip() + ")")
