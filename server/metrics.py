"""GET /metrics for Prometheus, and the middleware that counts requests. Needs a token like
everything else.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import Unauthenticated
from core.services import Services
from infra.bus.eventhub import EventHub
from server.auth import authenticate, bearer
from server.graphql import unauthenticated

# Paths are labels, so only those that exist are named.
KNOWN_PATHS = frozenset({"/graphql", "/events", "/healthz", "/health", "/readyz", "/metrics"})


class Metrics:
    """The instruments of one api process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "mllm_http_requests", "HTTP requests.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "mllm_http_request_seconds",
            "Time to the end of the answer; streams end with their client.",
            ["path"],
            registry=self.registry,
        )
        self.connections = Gauge(
            "mllm_connections", "Open connections.", ["kind"], registry=self.registry
        )
        self.jobs = Gauge("mllm_jobs", "Jobs by state.", ["state"], registry=self.registry)
        self.workers = Gauge("mllm_workers", "Workers that are there.", registry=self.registry)
        self.storage = Gauge(
            "mllm_storage_bytes",
            "Bytes of a location.",
            ["location", "kind"],
            registry=self.registry,
        )

    def watch(self, events: EventHub) -> None:
        self.registry.register(_EventHubCollector(events))


class _EventHubCollector(Collector):
    """The event hub counts for itself; its numbers are read when they are asked for."""

    def __init__(self, events: EventHub) -> None:
        self._events = events

    def collect(self) -> Iterator[Metric]:
        for name, value in asdict(self._events.stats).items():
            yield CounterMetricFamily(f"mllm_bus_{name}", f"Signals: {name}.", value=value)
        count = self._events.subscriber_count
        yield GaugeMetricFamily("mllm_bus_subscriptions", "Subscriptions now.", value=count)
        connected = float(self._events.connected)
        yield GaugeMetricFamily("mllm_bus_connected", "Whether Redis answers.", value=connected)


async def metrics(request: Request) -> Response:
    services: Services = request.app.state.services
    try:
        await authenticate(services.tokens, bearer(request.headers.get("authorization")))
    except Unauthenticated as e:
        return unauthenticated(e)
    instruments: Metrics = request.app.state.metrics
    state = await services.system.state()
    instruments.workers.set(state.workers)
    for name, count in state.job_counts.items():
        instruments.jobs.labels(name).set(count)
    for usage in state.storage:
        for kind in ("capacity", "available", "used", "reserved", "staging"):
            instruments.storage.labels(usage.location, kind).set(getattr(usage, kind))
    return Response(generate_latest(instruments.registry), media_type=CONTENT_TYPE_LATEST)


class CountRequests:
    """Middleware: counts requests and open connections, and times the answers."""

    def __init__(self, app: ASGIApp, instruments: Metrics) -> None:
        self._app = app
        self._metrics = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        status = "none"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        path = scope["path"] if scope["path"] in KNOWN_PATHS else "other"
        began_s = time.perf_counter()
        with self._metrics.connections.labels(kind).track_inprogress():
            try:
                await self._app(scope, receive, watched)
            finally:
                if kind == "http":
                    self._metrics.requests.labels(path, status).inc()
                    elapsed_s = time.perf_counter() - began_s
                    self._metrics.seconds.labels(path).observe(elapsed_s)
