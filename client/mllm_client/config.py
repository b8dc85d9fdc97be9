"""Where the server is and which token goes there: flags, environment, files of a local server.

Refuses to send a token to any other server than the one it was given or stored for, and to use a
token file that others can read. Writes nothing.
"""

import fcntl
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mllm_client.errors import BadServerUrl, TokenFileRefused, Unreachable

START_HINT = "start one with `make serve` or `mllm-server up`, or name another with --server"


@dataclass(frozen=True, slots=True)
class Server:
    """A server and the token for it.

    `url` has no trailing slash; `token` None: requests go without one.
    """

    url: str
    token: str | None = field(default=None, repr=False)

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    @property
    def websocket_url(self) -> str:
        return "ws" + self.graphql_url.removeprefix("http")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def resolve(
    server: str | None = None,
    token: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Server:
    """Finds server and token.

    `server` and `token` are what the user gave explicitly. MLLM_TOKEN belongs to MLLM_SERVER where
    that is set, else to whichever server is meant; the token file belongs to the local server alone
    and is never sent to a `server` given here, not even the local one.

    Raises BadServerUrl, TokenFileRefused, and Unreachable when no server is named and none runs
    here.
    """
    named = environ.get("MLLM_SERVER") or None
    given = environ.get("MLLM_TOKEN") or None
    if server:
        url = check_url(server)
        mine = given if named is None or check_url(named) == url else None
        return Server(url, check_token(token or mine))
    if named:
        return Server(check_url(named), check_token(token or given))
    home = home_of(environ)
    url = local_url(home)
    return Server(url, check_token(token or given or local_token(home)))


def home_of(environ: Mapping[str, str]) -> Path:
    """The state directory of the local server."""
    return Path(environ.get("MLLM_HOME") or "~/.local/share/mllm").expanduser()


def local_url(home: Path) -> str:
    """Address of the server that runs on `home`.

    Raises Unreachable when none does: a stale file proves nothing.
    """
    endpoint = home / "endpoint"
    if not lock_is_held(home / "lock"):
        raise Unreachable(f"no mllm server runs on {home}", hint=START_HINT)
    try:
        return check_url(endpoint.read_text().strip())
    except OSError as error:
        raise Unreachable(
            f"the mllm server on {home} has not told its address yet ({endpoint} is missing)",
            hint="it may still be starting: try again in a moment",
        ) from error


def lock_is_held(lock: Path) -> bool:
    """Whether a server holds the lock of its state directory.

    Takes it for an instant if nobody does (flock(2)).
    """
    try:
        with lock.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def local_token(home: Path) -> str | None:
    """The admin token of the local server; None when there is none. Raises TokenFileRefused."""
    path = home / "admin.token"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokenFileRefused(f"cannot read {path}: {error.strerror}") from error
    with open(descriptor) as handle:  # noqa: PTH123 — what is checked is what is read: one descriptor
        about = os.fstat(descriptor)
        if about.st_uid != os.getuid():
            raise TokenFileRefused(
                f"{path} belongs to user {about.st_uid}, not to you",
                hint="run mllm as that user, or give a token of yours with MLLM_TOKEN",
            )
        mode = stat.S_IMODE(about.st_mode)
        if mode != 0o600:
            raise TokenFileRefused(
                f"{path} has mode {mode:04o}: others may have read the token",
                hint=f"run `chmod 600 {path}`, and make a new token if this machine is shared",
            )
        return handle.read().strip() or None


def check_url(text: str) -> str:
    """The server's base URL; `/graphql` and slashes at its end are dropped. Raises BadServerUrl."""
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadServerUrl(
            f"not an address of a server: {text!r}", hint="write it like http://127.0.0.1:8080"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadServerUrl(
            "an address must not carry a user, password, query or fragment",
            hint="give the token with --token or MLLM_TOKEN",
        )
    path = parts.path.rstrip("/").removesuffix("/graphql").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def check_token(token: str | None) -> str | None:
    """The token, refused if it could not stand in a header.

    Raises BadServerUrl's sibling TokenFileRefused.
    """
    if token is not None and (not token.isascii() or not token.isprintable() or " " in token):
        raise TokenFileRefused("the token has characters that no token has", hint="copy it again")
    return token
