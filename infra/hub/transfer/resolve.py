"""From a file's address at the hub to the server that has its bytes.

The hub redirects to a signed address that expires; it is used until it is refused, and then asked
for anew. The token never goes to another origin than the hub's, the address into no text.
"""

from urllib.parse import urljoin

from infra.hub.backoff import server_delay_s
from infra.hub.errors import HubError, Subject, refusal
from infra.hub.origin import file_url, origin
from infra.hub.transfer.connection import Answer, Connections, Interrupted
from infra.hub.transfer.plan import TransferPlan

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# 416: the file ends before the range begins; what that means is the caller's to say.
_CONTENT = frozenset({200, 206, 416})
_BUSY = frozenset({408, 425, 429})
_EXPIRED = frozenset({401, 403, 410})
_MAX_HOPS = 5


class Source:
    """One file at the hub, opened as often as it takes, from several threads."""

    def __init__(self, plan: TransferPlan, path: str) -> None:
        self._plan = plan
        self._path = path
        self._at_hub = file_url(plan.endpoint.rstrip("/"), plan.repo, plan.revision, path)
        self._address = self._at_hub

    def open(self, connections: Connections, *, start: int, end: int | None) -> Answer:
        """The answer that carries the content of [start, end), if the server does as asked.

        `end`: None: to the end of the file. Status 200, 206 or 416. Raises Interrupted (also for
        an expired address: the next try gets a fresh one), TransferStopped, and the HubError that
        a refusal of the hub stands for.
        """
        wanted = {"User-Agent": "mllm", "Accept-Encoding": "identity"}
        if start or end is not None:
            wanted["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        first = url = self._address
        for _ in range(_MAX_HOPS + 1):
            at_hub = self._is_at_hub(url)
            answer = connections.get(url, wanted | self._authorization(at_hub))
            if answer.status in _CONTENT:
                self._address = url
                return answer
            with answer:
                answer.drain()
            if answer.status not in _REDIRECTS:
                if self._address == first:
                    self._address = self._at_hub
                raise self._refusal(answer, by_hub=url == self._at_hub)
            url = self._redirected(url, answer)
        raise Interrupted("redirected without end")

    def forget(self) -> None:
        """The next opening asks the hub again: its address leads to something odd."""
        self._address = self._at_hub

    def _redirected(self, url: str, answer: Answer) -> str:
        # http.client reads headers as Latin-1, servers write UTF-8.
        location = (answer.headers.get("Location") or "").encode("latin-1", "replace")
        try:
            return urljoin(url, location.decode("utf-8", "replace"))
        except ValueError:
            raise Interrupted("redirected to what is no address") from None

    def _is_at_hub(self, url: str) -> bool:
        try:
            return origin(url) == origin(self._plan.endpoint)
        except ValueError as e:
            raise HubError(str(e), repo=self._plan.repo, path=self._path) from None

    def _authorization(self, at_hub: bool) -> dict[str, str]:
        token = self._plan.token
        if not at_hub or token is None or not token.get_secret_value():
            return {}
        return {"Authorization": f"Bearer {token.get_secret_value()}"}

    def _refusal(self, answer: Answer, *, by_hub: bool) -> Exception:
        status = answer.status
        if status in _BUSY or status >= 500:
            delay_s = server_delay_s(answer.headers)
            return Interrupted(f"answered {status}", delay_s=delay_s, busy=status == 429)
        # The hub's storage may live behind the hub's own origin; only its API sends codes.
        by_hub = by_hub or answer.headers.get("X-Error-Code") is not None
        if status in _EXPIRED and not by_hub:
            return Interrupted(f"the signed address was refused with {status}")
        plan = self._plan
        with_token = bool(self._authorization(at_hub=True))
        subject = Subject(plan.endpoint, plan.repo, plan.revision, self._path, with_token)
        return refusal(status, answer.headers, subject)
