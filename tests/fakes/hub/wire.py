"""A plain HTTP request with nothing done behind the back: no redirects, no retries, no decoding.

Tests use it to see what the double sends; it refuses nothing, and reports a body that ended early.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    cut: bool
    """The connection ended before the announced length."""

    def json(self) -> Any:
        return json.loads(self.body)


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Reply:
    """One request on its own connection. Raises TimeoutError when the other side goes silent."""
    address = urlsplit(url)
    target = address.path + (f"?{address.query}" if address.query else "")
    connection = http.client.HTTPConnection(address.netloc, timeout=timeout_s)
    try:
        connection.request(method, target, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        cut = False
        try:
            content = response.read()
        except http.client.IncompleteRead as error:
            content, cut = error.partial, True
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=content,
            cut=cut,
        )
    finally:
        connection.close()
