"""Signed addresses of the CDN, as a cloud store makes them: they name a blob and end at a time."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlencode

URL_TTL_S = 3600


class Signer:
    """Hub and CDN share one, and with it the secret."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def query(self, sha256: str, *, filename: str, ttl_s: int) -> str:
        expires = int(time.time()) + ttl_s
        return urlencode(
            {
                "response-content-disposition": f'inline; filename="{filename}"',
                "Expires": expires,
                "sig": self._signature(sha256, str(expires)),
            }
        )

    def valid(self, sha256: str, query: Mapping[str, str]) -> bool:
        expires = query.get("Expires", "")
        expected = self._signature(sha256, expires)
        return (
            hmac.compare_digest(query.get("sig", ""), expected)
            and expires.isdecimal()
            and time.time() <= int(expires)
        )

    def _signature(self, sha256: str, expires: str) -> str:
        message = f"{sha256} {expires}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:32]
