"""A GraphQL server on loopback with the wire of the real one: schema.graphql, canned answers.

It validates every document against the schema and records what it was sent. Tests change `root` to
change answers and put `Close` and `Drop` into subscriptions to break them.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import WSMsgType, web
from graphql import (
    DocumentNode,
    ExecutionResult,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute,
    parse,
    subscribe,
    validate,
)

from tests.client import data

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
TOKEN = "mllm_test_token"
PROTOCOL = "graphql-transport-ws"
STEP_TIMEOUT_S = 20


class Close(Exception):
    """Raised in a subscription: the server closes the socket with this code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class Drop(Exception):
    """Raised in a subscription: the connection breaks without a word."""


@dataclass
class Sent:
    """One request as it came in. `authorization`: of the header; `init`: of connection_init."""

    operation: str | None
    query: str
    variables: dict[str, Any]
    authorization: str | None
    init: dict[str, Any] | None = None


@dataclass
class Double:
    """The server, in a thread of its own. Used as a context manager."""

    root: dict[str, Any] = field(default_factory=dict)
    http: Callable[[web.Request], web.Response] | None = None
    sent: list[Sent] = field(default_factory=list)
    defects: list[Exception] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        self.root = {**canned(), **self.root}
        self._ready = threading.Event()
        self._arrival = threading.Condition()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(STEP_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STEP_TIMEOUT_S)
        assert not self._thread.is_alive()
        assert self.defects == []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def variables(self, operation: str) -> list[dict[str, Any]]:
        """The variables of each request for an operation, in order."""
        return [sent.variables for sent in self.sent if sent.operation == operation]

    def await_request(self, operation: str) -> None:
        """Returns when an operation has been asked for."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: self.variables(operation), STEP_TIMEOUT_S)

    def _record(self, sent: Sent) -> None:
        with self._arrival:
            self.sent.append(sent)
            self._arrival.notify_all()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_post("/graphql", self._post)
        app.router.add_get("/graphql", self._websocket)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        sent = Sent(
            body.get("operationName"),
            body["query"],
            body.get("variables") or {},
            request.headers.get("Authorization"),
        )
        self._record(sent)
        if self.http is not None:
            return self.http(request)
        if sent.authorization != f"Bearer {TOKEN}":
            return answer([error("a token is needed", code="UNAUTHENTICATED")], status=401)
        document = parse(sent.query)
        mistakes = validate(SCHEMA, document)
        if mistakes:
            return answer([mistake.formatted for mistake in mistakes], status=400)
        result = execute(
            SCHEMA,
            document,
            root_value=self.root,
            variable_values=sent.variables,
            operation_name=sent.operation,
        )
        assert isinstance(result, ExecutionResult)
        return web.json_response(result.formatted)

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=[PROTOCOL])
        await socket.prepare(request)
        opening = await socket.receive_json()
        assert opening["type"] == "connection_init"
        header, init = request.headers.get("Authorization"), opening.get("payload") or {}
        if init.get("Authorization", header) != f"Bearer {TOKEN}":
            await socket.close(code=4401, message=b"Unauthorized")
            return socket
        await socket.send_json({"type": "connection_ack"})
        writers: list[asyncio.Task[None]] = []
        async for message in socket:  # ends when the client leaves
            assert message.type is WSMsgType.TEXT
            start = json.loads(message.data)
            if start["type"] != "subscribe":
                continue
            body = start["payload"]
            self._record(
                Sent(
                    body.get("operationName"),
                    body["query"],
                    body.get("variables") or {},
                    header,
                    init,
                )
            )
            answers = self._answers(socket, request, start["id"], body)
            writers.append(asyncio.create_task(answers))
        for writer in writers:
            writer.cancel()
        return socket

    async def _answers(
        self, socket: web.WebSocketResponse, request: web.Request, name: str, body: dict[str, Any]
    ) -> None:
        document = parse(body["query"])
        mistakes = validate(SCHEMA, document)
        if mistakes:
            formatted = [mistake.formatted for mistake in mistakes]
            await socket.send_json({"type": "error", "id": name, "payload": formatted})
            return
        try:
            stream = self._stream(document, body.get("variables"))
            assert isinstance(stream, AsyncIterator), stream
            async for result in stream:
                payload = result.formatted
                await socket.send_json({"type": "next", "id": name, "payload": payload})
            await socket.send_json({"type": "complete", "id": name})
        except Close as close:
            await socket.close(code=close.code, message=close.reason.encode())
        except Drop:
            assert request.transport is not None
            request.transport.abort()
        except Exception as error:
            self.defects.append(error)
            await socket.close(code=1011)
            raise

    def _stream(self, document: DocumentNode, variables: dict[str, Any] | None) -> Any:
        """Answers of a subscription, or the one of a query."""
        operation = document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        if operation.operation is OperationType.SUBSCRIPTION:
            return subscribe(SCHEMA, document, root_value=self.root, variable_values=variables)
        result = execute(SCHEMA, document, root_value=self.root, variable_values=variables)
        assert isinstance(result, ExecutionResult)
        return only(result)


async def only(result: ExecutionResult) -> AsyncIterator[ExecutionResult]:
    yield result


def canned() -> dict[str, Any]:
    """Root fields of a server: one install runs, one has failed, one model is there."""
    known = {data.JOB: data.job(), data.FAILED_JOB: data.failed_job()}
    return {
        "jobs": data.connection(list(known.values())),
        "job": lambda _info, id: known.get(id),
        "allWeights": data.connection([data.weights()], totalSize=str(942 * data.MIB + 660)),
        "weights": lambda _info, path, location: data.weights() if path == data.PATH else None,
        "storage": lambda _info, location: data.storage(),
        "events": data.event_log(data.event()),
        "system": data.system(),
        "weightsInstall": payload(
            job=data.job(state="PENDING"),
            storageUri=data.STORAGE_URI,
            inferenceModelPath=f"/mnt/models/{data.PATH}",
            joined=False,
        ),
        "jobCancel": payload(job=data.job(state="CANCELLED")),
        "jobPause": payload(job=data.job(state="PAUSED")),
        "jobResume": payload(job=data.job(state="PENDING")),
        "jobRetry": payload(job=data.retry_job()),
        "jobsPurge": payload(purgedCount=3),
        "jobUpdated": steps("jobUpdated", data.job(), data.completed_job()),
        "jobLogAdded": steps("jobLogAdded", *data.log_lines()),
        "eventAdded": steps("eventAdded", data.event()),
    }


def payload(**fields: Any) -> Callable[..., dict[str, Any]]:
    return lambda _info, **_: {"userErrors": [], **fields}


def refusal(*errors: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """A payload that only says what was wrong."""
    nothing: dict[str, Any] = {"job": None, "storageUri": None, "inferenceModelPath": None}
    return lambda _info, **_: {**nothing, "joined": False, "userErrors": list(errors)}


def steps(name: str, *values: Any) -> Callable[..., AsyncIterator[dict[str, Any]]]:
    """A subscription that sends `values`; raises exceptions among them, waits for Events."""

    async def stream(_info: Any, **_: Any) -> AsyncIterator[dict[str, Any]]:
        for value in values:
            match value:
                case Exception():
                    raise value
                case asyncio.Event():
                    await value.wait()
                case _:
                    yield {name: value}

    return stream


def in_turn(*streams: Callable[..., Any]) -> Callable[..., Any]:
    """The first subscription for the first who asks, the next for the next."""
    waiting = list(streams)
    return lambda info, **arguments: waiting.pop(0)(info, **arguments)


def error(message: str, **extensions: Any) -> dict[str, Any]:
    return {"message": message, "extensions": extensions}


def answer(errors: list[Any], *, status: int = 200) -> web.Response:
    return web.json_response({"data": None, "errors": errors}, status=status)
