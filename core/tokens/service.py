"""Who a bearer token belongs to, and the admin token of an embedded installation."""

import hashlib
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from core import ids
from core.clock import now
from core.errors import Unauthenticated
from core.ids import TokenId
from core.principal import Principal, Scope
from core.tokens import repository
from core.tokens.entity import Token
from infra.db.store import Store

ADMIN = "admin"
PREFIX = "mllm_"  # lets secret scanners find a leaked one


class Tokens:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def authenticate(self, secret: str) -> Principal:
        """The caller that the secret belongs to; raises Unauthenticated."""
        token = await self._store.read(repository.by_hash, digest(secret))
        if token is None or not token.usable(now()):
            raise Unauthenticated("the token is not known here, expired or revoked")
        return token.principal()

    async def ensure_admin_file(self, path: Path, chosen: SecretStr | None) -> None:
        """Makes sure that the file holds an admin token that works, with mode 0600.

        `chosen`: by an operator; None: the file's own, or a fresh one. The file is the only place
        the secret is kept; a file that was lost or belongs to another database gets a new token,
        and the old one stops working.
        """
        held = _read_private(path)
        if chosen is not None:
            secret = chosen.get_secret_value()
        elif held is not None and await self._works(held):
            secret = held
        else:
            secret = PREFIX + secrets.token_urlsafe(32)
        await self.ensure_admin(secret)
        if secret != held:
            _write_private(path, secret + "\n")

    async def ensure_admin(self, secret: str) -> None:
        """Makes the secret, which an operator chose, the admin token; the one before stops
        working.
        """
        if not await self._works(secret):
            await self._store.write(repository.replace, _admin(secret))

    async def _works(self, secret: str) -> bool:
        token = await self._store.read(repository.by_hash, digest(secret))
        return token is not None and token.usable(now())


def _admin(secret: str) -> Token:
    return Token(
        id=TokenId(ids.new(ids.Prefix.TOKEN)),
        name=ADMIN,
        hash=digest(secret),
        scopes=Scope.ADMIN,
        created_at=now(),
    )


def digest(secret: str) -> str:
    """SHA-256 in hex. Secrets have 256 random bits, so a slow or salted hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _read_private(path: Path) -> str | None:
    if not path.is_file():
        return None
    path.chmod(0o600)
    return path.read_text().strip() or None


def _write_private(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.rename(path)
