"""Lawful behaviours of the real hub that a client must bear, off unless a test wants them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """Switches of the hub origin."""

    resolve_cache: bool = False
    """Plain git files answer 307 to a relative /api/resolve-cache/ address first."""
    gzip: bool = False
    """GET of a plain git file is chunked, without Content-Length, for a client that takes gzip."""
    xet: bool = False
    """LFS files carry xet hashes. The token route answers; the xet protocol is not spoken."""
    weak_etags: bool = False
    """Etags have the form W/"…"."""


@dataclass(slots=True)
class Switchboard:
    """Holds the options in force; one for all routes of the hub."""

    options: HubOptions = field(default_factory=HubOptions)
