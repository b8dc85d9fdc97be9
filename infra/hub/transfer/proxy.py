"""Which proxy the environment puts between us and a server: http_proxy, https_proxy, no_proxy."""

import base64
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from infra.hub.origin import Origin

# Public, and without types.
_environment: Any = urllib.request


@dataclass(frozen=True, slots=True)
class Proxy:
    """`authorization`: what its own header wants; None: the address has no account in it."""

    host: str
    port: int
    authorization: str | None = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def proxy_for(origin: Origin) -> Proxy | None:
    """None: directly. Raises OSError for an address that is not one of an http proxy."""
    scheme, host, port = origin
    # Either form may be in no_proxy.
    if _environment.proxy_bypass_environment(host) or _environment.proxy_bypass_environment(
        f"{host}:{port}"
    ):
        return None
    proxies = _environment.getproxies_environment()
    address = proxies.get(scheme) or proxies.get("all")
    if not address:
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    try:
        proxy_port = parts.port or 80
    except ValueError:
        proxy_port = 0
    if parts.scheme != "http" or not parts.hostname or not proxy_port:
        # The address may hold a password, so it is not repeated.
        raise OSError(f"{scheme}_proxy does not name a proxy that is reached over http")
    authorization = None
    if parts.username is not None:
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(account.encode()).decode('ascii')}"
    return Proxy(parts.hostname, proxy_port, authorization)
