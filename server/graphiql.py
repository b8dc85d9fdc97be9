"""GraphiQL on GET /graphql: the page, its files, and an honest page where it was not built.

Refuses every other origin (Content-Security-Policy) and every file that the build did not make.
"""

import base64
import hashlib
import html
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

DIST: Final = Path(__file__).resolve().parent.parent / "ui" / "graphiql" / "dist"

# 'self' in connect-src covers ws: and wss: of the same origin (CSP level 3, section 6.7.2.8).
# Monaco sets style attributes and adds style elements, hence 'unsafe-inline' for styles, and only
# there. data: is for the fonts and cursors inside GraphiQL's stylesheet.
_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "connect-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_COMMON_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
_ONE_YEAR_S: Final = 365 * 24 * 3600


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks: GET or HEAD that accepts `text/html` by name.

    `*/*` alone (curl, most HTTP libraries) does not count.
    """
    if request.method not in {"GET", "HEAD"}:
        return False
    ranges = (entry.split(";") for entry in request.headers.get("accept", "").split(","))
    return any(
        name.strip().lower() == "text/html" and "q=0" not in {p.strip() for p in parameters}
        for name, *parameters in ranges
    )


def page(request: Request, *, dist: Path = DIST) -> Response:
    """GraphiQL; where `dist` holds no build, a page that tells how to get it. Both are 200."""
    try:
        index = (dist / "index.html").read_bytes()
    except FileNotFoundError:
        return _not_built(request)
    return HTMLResponse(index, headers={"Content-Security-Policy": _POLICY, **_COMMON_HEADERS})


def static(dist: Path = DIST) -> ASGIApp:
    """The files of the page, to be mounted at `/static/graphiql`; 404 for all else.

    `dist` may appear, vanish or be replaced while the server runs.
    """
    assets = _Assets(directory=dist / "assets", check_dir=False)
    return Router([Mount("/assets", app=assets)], redirect_slashes=False)


class _Assets(StaticFiles):
    """Files whose names carry a hash of their content: cached for ever, sent compressed."""

    async def check_config(self) -> None:
        """Starlette would answer 500 for a missing folder; every path is simply not found then."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        compressible = path.endswith((".js", ".css"))
        if compressible and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            response = await self._compressed(path, scope)
        elif path.endswith(".gz"):
            raise HTTPException(404)
        else:
            response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, max-age={_ONE_YEAR_S}, immutable"
        response.headers["Content-Security-Policy"] = _POLICY  # a worker obeys its script's own
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    async def _compressed(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(f"{path}.gz", scope)
        except HTTPException as missing:
            if missing.status_code != 404:
                raise
            return await super().get_response(path, scope)
        response.headers["Content-Encoding"] = "gzip"
        return response


_STYLE: Final = """
:root { color-scheme: light dark; }
body { max-width: 60ch; margin: 4rem auto; padding: 0 1rem; font: 15px/1.6 system-ui, sans-serif; }
pre { padding: .75rem 1rem; border-radius: 4px; background: #8993a526; overflow-x: auto; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_NOT_BUILT_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
)
_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>mllm · GraphQL API</title><style>{style}</style></head>
<body>
<h1>The API works; GraphiQL is not built here</h1>
<p>This page would be GraphiQL. It is built once, with Node 20 or newer, in the source tree:</p>
<pre>scripts/graphiql</pre>
<p>and appears here without a restart. Until then, everything can be asked by POST:</p>
<pre>curl {url} \\
  -H "Authorization: Bearer $(cat "${{MLLM_HOME:-$HOME/.local/share/mllm}}/admin.token")" \\
  -H 'Content-Type: application/json' \\
  -d '{{"query": "{{ system {{ version }} }}"}}'</pre>
</body>
</html>
"""


def _not_built(request: Request) -> Response:
    url = html.escape(f"{request.base_url}graphql")
    return HTMLResponse(
        _NOT_BUILT.format(style=_STYLE, url=url),
        headers={"Content-Security-Policy": _NOT_BUILT_POLICY, **_COMMON_HEADERS},
    )
