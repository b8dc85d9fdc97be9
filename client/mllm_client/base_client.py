"""What the generated client stands on: stored documents over gql's transports."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from gql.transport.exceptions import TransportError, TransportServerError
from graphql import ExecutionResult

from mllm_client import wire
from mllm_client._generated.base_model import BaseModel, UnsetType
from mllm_client._generated.documents import BY_NAME
from mllm_client.config import Server
from mllm_client.errors import Unreachable, answer, refused
from mllm_client.scalars import serialize_datetime, serialize_duration
from mllm_client.subscriptions import Lost, Retry, follow
from mllm_client.transport import unreachable


class BaseClient:
    """Speaks to one server.

    Queries and mutations need `async with`; each subscription opens its own socket. `timeout_s`
    bounds a query or mutation as a whole. `retry` and `on_lost` are for subscriptions, see
    `subscriptions`.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_s: float = 30.0,
        retry: Retry | None = None,
        on_lost: Lost | None = None,
    ) -> None:
        self.server = Server(url, token)
        self._http = wire.http(self.server, timeout_s=timeout_s)
        self._retry = retry
        self._on_lost = on_lost

    async def __aenter__(self) -> Self:
        await self._http.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def execute(
        self, query: str, operation_name: str, variables: dict[str, Any]
    ) -> ExecutionResult:
        """Sends a stored query or mutation. Raises Unreachable, Unauthenticated, Forbidden."""
        request = wire.StoredRequest(
            BY_NAME[operation_name].text, variables=plain(variables), operation=operation_name
        )
        try:
            return await self._http.execute(request)
        except TransportServerError as error:
            raise refused(error.code or 0, "") from error
        except TransportError as error:
            raise translated_http(self.server, error) from error

    def get_data(self, response: ExecutionResult) -> dict[str, Any]:
        """The data of an answer. Raises GraphQLFailure, Unauthenticated, Forbidden, UserErrors."""
        return answer({"data": response.data, "errors": response.errors})

    async def execute_ws(
        self, query: str, operation_name: str, variables: dict[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        """Follows a stored subscription, over lost connections too.

        Raises what `subscriptions.follow` raises.
        """
        async for data in follow(
            self.server,
            BY_NAME[operation_name],
            variables=plain(variables),
            retry=self._retry,
            on_lost=self._on_lost,
        ):
            yield data


def translated_http(server: Server, error: TransportError) -> Unreachable:
    """What a failed HTTP request means to the caller."""
    if isinstance(error.__cause__, TimeoutError):
        return Unreachable(f"{server.url} did not answer in time")
    return unreachable(server, error.__cause__ or error)


def plain(value: Any) -> Any:
    """Variables as JSON: what is UNSET is left out, models go by alias without unset fields."""
    match value:
        case dict():
            return {k: plain(v) for k, v in value.items() if not isinstance(v, UnsetType)}
        case list() | tuple():
            return [plain(item) for item in value]
        case BaseModel():
            return plain(value.model_dump(mode="json", by_alias=True, exclude_unset=True))
        case datetime():
            return serialize_datetime(value)
        case timedelta():
            return serialize_duration(value)
        case _:
            return value
