"""Addresses at the hub, and which of two belong to the same server."""

from urllib.parse import quote, urlsplit

_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


def origin(url: str) -> Origin:
    """Scheme, host and port (RFC 6454, section 4): the reach of a token.

    Raises ValueError for what is not an http or https address; its text has no query in it, which
    may be a signature.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        shown = url.partition("?")[0].rpartition("@")[2]
        raise ValueError(f"not an http address: {shown!r}")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port


def file_url(endpoint: str, repo: str, revision: str, path: str) -> str:
    """Where the hub serves, or redirects to, one file at a commit."""
    return f"{endpoint}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"
