"""Downloads at the hub: plain git files are sent, LFS files are redirected to the CDN."""

import gzip
from urllib.parse import quote

from aiohttp import web

from tests.fakes.hub import errors
from tests.fakes.hub.accounts import account_of, opens
from tests.fakes.hub.body import Body
from tests.fakes.hub.catalog import Catalog, Hosted
from tests.fakes.hub.faults import ExpireUrls
from tests.fakes.hub.options import Switchboard
from tests.fakes.hub.origin import Origin
from tests.fakes.hub.repositories import Commit, File
from tests.fakes.hub.signing import URL_TTL_S, Signer


class Resolve:
    """`/{repository}/resolve/{revision}/{path}` and where its 307 leads."""

    def __init__(
        self,
        *,
        origin: Origin,
        cdn: Origin,
        catalog: Catalog,
        signer: Signer,
        switchboard: Switchboard,
    ) -> None:
        self._origin = origin
        self._cdn = cdn
        self._catalog = catalog
        self._signer = signer
        self._switchboard = switchboard

    def routes(self) -> list[web.RouteDef]:
        cached = "/api/resolve-cache/models/{ns}/{name}/{rev}/{path:.+}"
        return [
            web.get("/{ns}/{name}/resolve/{rev}/{path:.+}", self.resolve, name="resolve"),
            web.get(cached, self.resolve_cache, name="resolve-cache"),
        ]

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        hosted, commit, file = self._delivered(request)
        headers = self._headers(commit, file)
        if file.lfs:
            return self._redirect_to_cdn(request, hosted, commit, file, headers)
        if self._switchboard.options.resolve_cache:
            path = f"{hosted.repository.id}/{commit.sha}/{quote(file.path)}"
            headers["Location"] = f"/api/resolve-cache/models/{path}?etag={quote(headers['ETag'])}"
            return web.Response(status=307, headers=headers)
        return await self._send(request, hosted, file, headers)

    async def resolve_cache(self, request: web.Request) -> web.StreamResponse:
        hosted, commit, file = self._delivered(request)
        return await self._send(request, hosted, file, self._headers(commit, file))

    def _delivered(self, request: web.Request) -> tuple[Hosted, Commit, File]:
        account = account_of(request)
        info = request.match_info
        hosted = self._catalog.get(f"{info['ns']}/{info['name']}", account=account)
        if not opens(account, hosted.repository):
            raise errors.gated(hosted.repository.id, authenticated=account is not None)
        commit = hosted.commit(info["rev"])
        return hosted, commit, hosted.delivered(commit, info["path"])

    def _headers(self, commit: Commit, file: File) -> dict[str, str]:
        return {
            "X-Repo-Commit": commit.sha,
            "ETag": self._quoted(file.git_oid if file.lfs else file.etag),
            "Accept-Ranges": "bytes",
        }

    def _redirect_to_cdn(
        self,
        request: web.Request,
        hosted: Hosted,
        commit: Commit,
        file: File,
        headers: dict[str, str],
    ) -> web.Response:
        expiry = self._origin.faults.take(ExpireUrls, [request.path])
        query = self._signer.query(
            file.sha256,
            filename=file.path.rpartition("/")[2],
            ttl_s=expiry.ttl_s if expiry else URL_TTL_S,
        )
        headers["X-Linked-Etag"] = self._quoted(file.etag)
        headers["X-Linked-Size"] = str(file.size_bytes)
        headers["Location"] = f"{self._cdn.url}/blobs/{file.sha256}?{query}"
        if self._switchboard.options.xet:
            route = f"{self._origin.url}/api/models/{hosted.repository.id}/xet-read-token"
            headers["X-Xet-Hash"] = file.xet_hash
            headers["Link"] = f'<{route}/{commit.sha}>; rel="xet-auth"'
        text = f"Found. Redirecting to {headers['Location']}"
        return web.Response(status=302, headers=headers, text=text)

    async def _send(
        self, request: web.Request, hosted: Hosted, file: File, headers: dict[str, str]
    ) -> web.StreamResponse:
        if (
            self._switchboard.options.gzip
            and request.method == "GET"
            and "Range" not in request.headers
            and "gzip" in request.headers.get("Accept-Encoding", "")
        ):
            return await self._send_compressed(request, file, headers)
        names = [request.path, f"{hosted.repository.id}/{file.path}"]
        body = Body(origin=self._origin, file=file, names=names, headers=headers)
        return await body.send(request)

    async def _send_compressed(
        self, request: web.Request, file: File, headers: dict[str, str]
    ) -> web.StreamResponse:
        headers["Content-Encoding"] = "gzip"
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._origin.tally.sent(file.sha256, file.size_bytes)
        await response.write(gzip.compress(file.read(), mtime=0))
        await response.write_eof()
        return response

    def _quoted(self, etag: str) -> str:
        return f'W/"{etag}"' if self._switchboard.options.weak_etags else f'"{etag}"'
