"""A bearer token as it is stored."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from core.ids import TokenId
from core.principal import Principal, Scope
from infra.db.base import Base
from infra.db.types import UtcDateTime


class Token(Base, kw_only=True):
    """A token's hash, name and scopes (space-separated); the secret itself is shown once and
    never stored.
    """

    __tablename__ = "tokens"

    id: Mapped[TokenId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True, repr=False)
    scopes: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

    def usable(self, at: datetime) -> bool:
        expired = self.expires_at is not None and self.expires_at <= at
        return self.revoked_at is None and not expired

    def principal(self) -> Principal:
        return Principal(self.id, self.name, frozenset(Scope(s) for s in self.scopes.split()))
