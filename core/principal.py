"""Who asks, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import Forbidden


class Scope(StrEnum):
    READ = "READ"
    WRITE = "WRITE"
    ADMIN = "ADMIN"


_IMPLIED = {
    Scope.READ: {Scope.READ},
    Scope.WRITE: {Scope.READ, Scope.WRITE},
    Scope.ADMIN: set(Scope),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `name` is what jobs and the audit log show."""

    id: str
    name: str
    scopes: frozenset[Scope]

    def has(self, scope: Scope) -> bool:
        """WRITE implies READ; ADMIN implies both."""
        return any(scope in _IMPLIED[held] for held in self.scopes)

    def require(self, scope: Scope) -> None:
        """Raises Forbidden without the scope."""
        if not self.has(scope):
            raise Forbidden(f"this needs a token with the scope {scope}")
