"""From a file's address at the hub to the server that has its bytes.

The hub redirects to a signed address that expires, so every try starts at the hub again. The token
never goes to another origin than the hub's.
"""

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Source:
    """One file at the hub; opened as often as it takes."""

    plan: TransferPlan
    path: str
    connections: Connections = field(repr=False)

    def open(self, *, from_byte: int) -> Answer:
        """The answer that carries the content from `from_byte` on, if the server does as asked.

        Status 200, 206 or 416. Raises Interrupted (also for an expired address: the next try gets
        a fresh one), TransferStopped, and the HubError that a refusal of the hub stands for.
        """
        wanted = {"User-Agent": "mllm", "Accept-Encoding": "identity"}
        if from_byte:
            wanted["Range"] = f"bytes={from_byte}-"
        plan = self.plan
        url = file_url(plan.endpoint.rstrip("/"), plan.repo, plan.revision, self.path)
        for hop in range(_MAX_HOPS + 1):
            try:
                at_hub = origin(url) == origin(plan.endpoint)
                answer = self.connections.get(url, wanted | self._authorization(at_hub))
            except ValueError as e:
                raise HubError(str(e), repo=plan.repo, path=self.path) from e
            if answer.status in _CONTENT:
                return answer
            with answer:
                answer.drain()
            if answer.status not in _REDIRECTS:
                raise self._refusal(answer, by_hub=at_hub and hop == 0)
            url = urljoin(url, answer.headers.get("Location") or "")
        raise Interrupted("redirected without end")

    def _authorization(self, at_hub: bool) -> dict[str, str]:
        token = self.plan.token
        if not at_hub or token is None or not token.get_secret_value():
            return {}
        return {"Authorization": f"Bearer {token.get_secret_value()}"}

    def _refusal(self, answer: Answer, *, by_hub: bool) -> Exception:
        status = answer.status
        if status in _BUSY or status >= 500:
            return Interrupted(f"answered {status}", delay_s=server_delay_s(answer.headers))
        # The hub's storage may live behind the hub's own origin; only its API sends codes.
        by_hub = by_hub or answer.headers.get("X-Error-Code") is not None
        if status in _EXPIRED and not by_hub:
            return Interrupted(f"the signed address was refused with {status}")
        plan = self.plan
        with_token = bool(self._authorization(at_hub=True))
        subject = Subject(plan.endpoint, plan.repo, plan.revision, self.path, with_token)
        return refusal(status, answer.headers, subject)
