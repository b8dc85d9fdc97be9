"""The page on GET /graphql and its files, asked over a real socket."""

import contextlib
import gzip
import http.client
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from server import graphiql

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SCRIPT = b"export const answer = 42;\n" * 50


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True, slots=True)
class Site:
    """The two routes over `dist`, as the application mounts them."""

    dist: Path
    port: int

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())


def build(dist: Path) -> None:
    assets = dist / "assets"
    assets.mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>the build</title>")
    (dist / ".stamp").write_text("secret of the build")
    (assets / "app-1a2b.js").write_bytes(SCRIPT)
    (assets / "app-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "plain-3c4d.css").write_text("body {}")
    (assets / "inter-5e6f.woff2").write_bytes(b"a font")


@contextlib.contextmanager
def serve(dist: Path) -> Iterator[Site]:
    def graphql(request: Request) -> Response:
        if graphiql.wants_page(request):
            return graphiql.page(request, dist=dist)
        return PlainTextResponse("the API")

    app = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Mount("/static/graphiql", app=graphiql.static(dist)),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Site(dist, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A built page, and one file outside that a link in it points to."""
    dist = tmp_path_factory.mktemp("graphiql") / "dist"
    build(dist)
    outside = dist.parent / "outside.js"
    outside.write_text("outside")
    (dist / "assets" / "link.js").symlink_to(outside)
    with serve(dist) as built:
        yield built


@pytest.fixture
def bare_site(tmp_path: Path) -> Iterator[Site]:
    with serve(tmp_path / "dist") as not_built:
        yield not_built


def test_browser_gets_the_page_bound_to_its_own_origin(site: Site):
    answer = site.get("/graphql", accept=BROWSER)
    assert (answer.status, answer.body) == (200, b"<!doctype html><title>the build</title>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
        "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize(
    ("method", "accept"),
    [
        ("GET", "*/*"),
        ("GET", ""),
        ("GET", "application/graphql-response+json, application/json"),
        ("GET", "text/html;q=0, */*"),
        ("GET", "text/htmlx"),
        ("POST", BROWSER),
    ],
)
def test_programs_reach_the_api(site: Site, method: str, accept: str):
    assert site.get("/graphql", method=method, accept=accept).body == b"the API"


def test_missing_build_is_told_and_its_arrival_noticed_without_a_restart(bare_site: Site):
    answer = bare_site.get("/graphql", accept=BROWSER)
    text = answer.body.decode()
    assert answer.status == 200
    assert "GraphiQL is not built here" in text
    assert "<pre>scripts/graphiql</pre>" in text
    assert f"curl http://127.0.0.1:{bare_site.port}/graphql \\\n" in text
    assert """-d '{"query": "{ system { version } }"}'""" in text
    assert not re.search(r"<script|<link|\ssrc=|\shref=", text)
    assert bare_site.get("/static/graphiql/assets/app-1a2b.js").status == 404
    build(bare_site.dist)
    assert b"the build" in bare_site.get("/graphql", accept=BROWSER).body
    assert bare_site.get("/static/graphiql/assets/app-1a2b.js").status == 200


def test_host_header_cannot_write_into_the_page(bare_site: Site):
    answer = bare_site.get("/graphql", accept=BROWSER, host="a<script>alert(1)</script>")
    assert b"<script" not in answer.body


def test_assets_are_compressed_and_immutable(site: Site):
    packed = site.get("/static/graphiql/assets/app-1a2b.js", accept_encoding="gzip, br")
    assert gzip.decompress(packed.body) == SCRIPT
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    plain = site.get("/static/graphiql/assets/app-1a2b.js")
    assert (plain.body, plain.headers["content-encoding"]) == (SCRIPT, None)
    assert plain.headers["etag"] != packed.headers["etag"]
    again = site.get("/static/graphiql/assets/app-1a2b.js", if_none_match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("name", "body"), [("plain-3c4d.css", b"body {}"), ("inter-5e6f.woff2", b"a font")]
)
def test_assets_without_a_compressed_twin_are_sent_as_they_are(site: Site, name: str, body: bytes):
    answer = site.get(f"/static/graphiql/assets/{name}", accept_encoding="gzip")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-encoding"] is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "assets",
        "assets/",
        "index.html",
        ".stamp",
        "assets/app-1a2b.js.gz",
        "assets/../index.html",
        "assets/..%2findex.html",
        "assets/%2e%2e/.stamp",
        "assets/..%2f..%2foutside.js",
        "assets/%2fetc%2fpasswd",
        "assets/link.js",
        "assets/%00.js",
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_nothing_but_the_assets_is_served(site: Site, path: str, encoding: str):
    answer = site.get(f"/static/graphiql/{path}", accept_encoding=encoding)
    assert answer.status == 404
    assert answer.headers["cache-control"] is None
