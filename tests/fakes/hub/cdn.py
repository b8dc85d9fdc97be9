"""The CDN: blobs by sha256 behind signed addresses.

Knows no accounts: an Authorization header here is a leak, and counted as one.
"""

from aiohttp import web

from tests.fakes.hub.body import Body
from tests.fakes.hub.catalog import Catalog
from tests.fakes.hub.origin import Origin
from tests.fakes.hub.signing import Signer


class Cdn:
    """Its one route. Without a valid signature 403, as S3 and CloudFront answer."""

    def __init__(self, *, origin: Origin, catalog: Catalog, signer: Signer) -> None:
        self._origin = origin
        self._catalog = catalog
        self._signer = signer

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/blobs/{sha256}", self.blob, name="blob")]

    async def blob(self, request: web.Request) -> web.StreamResponse:
        sha256 = request.match_info["sha256"]
        names = self._catalog.names(sha256)
        injected = self._origin.injected(*names)
        if injected is not None:
            return injected
        if not self._signer.valid(sha256, request.query):
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        file = self._catalog.blob(sha256)
        if file is None:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        body = Body(
            origin=self._origin, file=file, names=names, headers={"ETag": f'"{file.sha256}"'}
        )
        return await body.send(request)
