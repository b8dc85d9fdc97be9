"""How an operation reaches the server, and how much of gql that costs.

| what                                 | goes through                    | imports               |
|--------------------------------------|---------------------------------|-----------------------|
| stored query or mutation of the CLI  | `post` below: http.client       | standard library only |
| document typed by the user           | `post`, after graphql's parser  | graphql               |
| subscription, of CLI and SDK         | `wire.Socket`: gql over aiohttp | gql, graphql, aiohttp |
| query or mutation of the SDK         | `wire.http`: gql over aiohttp   | gql, graphql, aiohttp |

Stored documents are text that was validated when it was generated, so nothing parses them again, on
any of the paths. gql and what it needs take about 0.25 s to import, a third of a second on a busy
machine: too much for `mllm jobs list`, little for a subscription that lives for minutes. No path
follows redirects, for a token must not travel on.
"""

import errno
import http.client
import json
import os
from typing import Any
from urllib.parse import urlsplit

from mllm_client.config import START_HINT, Server
from mllm_client.errors import Unreachable, refused

USER_AGENT = "mllm-client"
MAX_ANSWER_BYTES = 64 << 20  # a page holds at most 1000 entries; more than this is not our server


def post(
    server: Server,
    text: str,
    *,
    variables: dict[str, Any],
    operation: str | None = None,
    timeout_s: float = 30.0,
) -> dict[str, Any]:
    """Sends one operation and returns the whole answer, errors included.

    `timeout_s` bounds each wait on the socket. Raises Unreachable, Unauthenticated and Forbidden.
    """
    payload: dict[str, Any] = {"query": text, "variables": variables}
    if operation is not None:
        payload["operationName"] = operation
    status, reason, body = exchange(server, json.dumps(payload).encode(), timeout_s=timeout_s)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and ("data" in answer or "errors" in answer):
        return answer
    if status == http.HTTPStatus.OK:
        raise Unreachable(f"{server.graphql_url} does not answer as an mllm server does")
    raise refused(status, reason)


def exchange(server: Server, body: bytes, *, timeout_s: float) -> tuple[int, str, bytes]:
    """One POST on a connection of its own: status, reason, body. Raises Unreachable."""
    parts = urlsplit(server.graphql_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/graphql-response+json, application/json",
        "User-Agent": USER_AGENT,
        **server.headers,
    }
    try:
        connection.request("POST", parts.path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER_BYTES + 1)
    except TimeoutError as error:
        raise Unreachable(f"{server.url} did not answer within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(server, error) from error
    finally:
        connection.close()
    if len(answer) > MAX_ANSWER_BYTES:
        raise Unreachable(f"the answer of {server.url} is longer than {MAX_ANSWER_BYTES} bytes")
    return response.status, response.reason, answer


def unreachable(server: Server, error: BaseException) -> Unreachable:
    """What to say when the connection failed."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if getattr(error, "errno", None) == errno.ECONNREFUSED:
        why = os.strerror(errno.ECONNREFUSED)  # asyncio's text repeats the address
    return Unreachable(f"cannot reach {server.url}: {why}", hint=f"is it running? {START_HINT}")
