"""One of the two origins: its address, its faults, its counters, and what applies them."""

import time

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.fakes.hub.counters import Tally
from tests.fakes.hub.errors import HubError
from tests.fakes.hub.faults import FaultBoard, Rate, Status

CONTROL_ROUTE = "control"


class Origin:
    """`foreign`: a client must not send credentials here."""

    def __init__(self, name: str, *, foreign: bool) -> None:
        self.name = name
        self.url = ""
        self.faults = FaultBoard()
        self.tally = Tally(foreign=foreign)
        self._free_at_s = 0.0

    def delay_s(self, rate: Rate, count_bytes: int, *, free_at_s: float) -> tuple[float, float]:
        """How long to wait before these bytes, and when the line is free again (monotonic clock).

        `free_at_s` is that of the connection; a shared rate uses the one of the origin instead.
        """
        now = time.monotonic()
        starts = max(now, free_at_s if rate.per_connection else self._free_at_s)
        ends = starts + count_bytes / rate.bytes_per_s
        if not rate.per_connection:
            self._free_at_s = ends
        return ends - now, ends

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        route = request.match_info.route.name or "unknown"
        if route == CONTROL_ROUTE:
            return await handler(request)
        self.tally.request(request, route=route)
        try:
            return self.injected(request.path) or await handler(request)
        except HubError as error:
            return error.response()

    async def count_status(self, request: web.Request, response: web.StreamResponse) -> None:
        """For `on_response_prepare`: a client that has the answer finds it counted."""
        if request.match_info.route.name != CONTROL_ROUTE:
            self.tally.status(response.status)

    def injected(self, *names: str) -> web.Response | None:
        """The answer of an armed status fault for a request of these names."""
        fault = self.faults.take(Status, names)
        if fault is None:
            return None
        headers = {}
        if fault.retry_after_s is not None:
            headers["Retry-After"] = str(fault.retry_after_s)
        if fault.rate_limit_reset_s is not None:
            headers["RateLimit"] = f'"resolvers";r=0;t={fault.rate_limit_reset_s}'
            headers["RateLimit-Policy"] = '"fixed window";"resolvers";q=3000;w=300'
        return HubError(fault.status, "", f"injected {fault.status}", headers=headers).response()
