"""/healthz: this process answers. /readyz: it can do its work. Open to everyone, and so short of
details.
"""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from core.services import Services
from core.system.state import CheckLevel

# The weights volume is not asked: an api that cannot write there can still answer.
NEEDED = ("database", "redis", "workers")


async def healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """200 `ready`, or 503 with the names of the parts that are not."""
    services: Services = request.app.state.services
    parts = {part.name: part.state for part in await services.system.subsystems()}
    missing = [name for name in NEEDED if parts[name] is not CheckLevel.PASS]
    if missing:
        return PlainTextResponse(f"waiting for {', '.join(missing)}\n", 503)
    return PlainTextResponse("ready\n")
