"""The ASGI application: routes, middleware, and what lives as long as the process. The api's
composition root.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route, WebSocketRoute

from core.services import open_services
from infra.db.store import DatabaseUnavailableError
from infra.settings import Settings
from infra.tasks import Background
from schema.root import build
from server import graphiql, limits
from server.errors import ToldErrors, database_unavailable
from server.graphql import GraphQLView
from server.health import healthz, readyz
from server.metrics import CountRequests, Metrics, metrics
from server.sse import events

ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 — a file name


def create_app(settings: Settings) -> Starlette:
    """Connects to nothing until its lifespan starts; that raises SettingsError and the
    database's errors.
    """
    instruments = Metrics()
    schema = build([ToldErrors, *limits.extensions(settings.limits)])
    view = GraphQLView(schema, settings.limits)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            open_services(settings, follows_events=True) as services,
            Background() as background,
        ):
            chosen = settings.auth.admin_token
            if settings.embedded:
                file = settings.home / ADMIN_TOKEN_FILE
                await services.tokens.ensure_admin_file(file, chosen)
            elif chosen is not None:
                await services.tokens.ensure_admin(chosen.get_secret_value())
            app.state.services = services
            instruments.watch(services.events)
            background.start("jobs.sweeper", services.jobs.sweep_forever)
            yield

    app = Starlette(
        routes=[
            Route("/", lambda _request: RedirectResponse("/graphql")),
            Route("/graphql", view, methods=["GET", "HEAD", "POST"]),
            WebSocketRoute("/graphql", view),
            Mount("/static/graphiql", app=graphiql.static()),
            Route("/events", events),
            Route("/healthz", healthz),
            Route("/health", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        middleware=[
            Middleware(CountRequests, instruments=instruments),
            Middleware(limits.BodyLimit, max_bytes=settings.limits.body_bytes),
        ],
        exception_handlers={DatabaseUnavailableError: database_unavailable},
        lifespan=lifespan,
    )
    app.state.metrics = instruments
    return app
