"""Assembles both origins and serves them on loopback, in the event loop of the caller."""

from collections.abc import Iterable

from aiohttp import web

from tests.fakes.hub.api import Api
from tests.fakes.hub.catalog import Catalog
from tests.fakes.hub.cdn import Cdn
from tests.fakes.hub.control import Control, HubControl
from tests.fakes.hub.options import Switchboard
from tests.fakes.hub.origin import Origin
from tests.fakes.hub.repositories import Repository
from tests.fakes.hub.resolve import Resolve
from tests.fakes.hub.signing import Signer

LOOPBACK = "127.0.0.1"
# Both names are loopback, but other hosts to a client: it must drop its credentials on the way from
# one to the other.
HUB_HOST = "127.0.0.1"
CDN_HOST = "localhost"
SHUTDOWN_S = 0.1


class HubServer:
    """Start, serve, stop; each once. Not thread-safe: `HubDouble` is."""

    def __init__(self, repositories: Iterable[Repository] = ()) -> None:
        self.hub = Origin("hub", foreign=False)
        self.cdn = Origin("cdn", foreign=True)
        self.catalog = Catalog()
        self.switchboard = Switchboard()
        for repository in repositories:
            self.catalog.add(repository)
        signer = Signer()
        cdn = Cdn(origin=self.cdn, catalog=self.catalog, signer=signer)
        self._cdn_runner = _runner(self.cdn, [*cdn.routes(), *Control(self.cdn).routes()])
        api = Api(cdn=self.cdn, catalog=self.catalog, switchboard=self.switchboard)
        resolve = Resolve(
            origin=self.hub,
            cdn=self.cdn,
            catalog=self.catalog,
            signer=signer,
            switchboard=self.switchboard,
        )
        control = HubControl(self.hub, catalog=self.catalog, switchboard=self.switchboard)
        self._hub_runner = _runner(self.hub, [*api.routes(), *control.routes(), *resolve.routes()])

    async def start(self, *, port: int = 0, cdn_port: int = 0) -> None:
        """Listens; 0: any free port. Raises OSError if a port is taken, and then leaves nothing
        open.
        """
        try:
            self.cdn.url = f"http://{CDN_HOST}:{await _listen(self._cdn_runner, cdn_port)}"
            self.hub.url = f"http://{HUB_HOST}:{await _listen(self._hub_runner, port)}"
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._hub_runner.cleanup()
        await self._cdn_runner.cleanup()


def _runner(origin: Origin, routes: Iterable[web.RouteDef]) -> web.AppRunner:
    app = web.Application(middlewares=[origin.middleware])
    app.add_routes(routes)
    app.on_response_prepare.append(origin.count_status)
    return web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S
    )


async def _listen(runner: web.AppRunner, port: int) -> int:
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    return int(runner.addresses[0][1])
