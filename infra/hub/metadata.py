"""Requests for metadata: blocking, retried within a bound, failing only with the house's errors.

They go over the session of huggingface_hub (its proxies, certificates, offline switch), but not
through its `HfApi`: in 2.4 `list_repo_tree` has no time-out, and sleeps as long as the hub says.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from infra.hub.backoff import jitter_s
from infra.hub.errors import HubError, HubUnavailable, Subject, translated
from infra.hub.library import utils
from infra.hub.origin import origin

if TYPE_CHECKING:
    import httpx2

_TRIES = 3
# A mutation waits for these requests; whoever needs longer asks again.
_BUDGET_S = 10.0
_BACKOFF_S = 0.25
_MAX_REDIRECTS = 5
# The hub sends 1000 entries a page; the largest model repositories have some thousand files.
_MAX_PAGES = 100


class MetadataRequests:
    """`token`: None sends none, also not the one that huggingface_hub keeps on the disk."""

    def __init__(self, endpoint: str, token: str | None, *, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._closed = threading.Event()
        self._used = False
        self._headers = {"User-Agent": "mllm", "Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Ends the waiting between retries, and the connections of the library's session."""
        self._closed.set()
        if self._used:
            utils.close_session()

    def document(
        self, path: str, subject: Subject, *, params: Mapping[str, Any] | None = None
    ) -> Any:
        """The JSON at `path` of the endpoint."""
        response = self._retried("GET", self._endpoint + path, subject, params=params, follow=True)
        return _json(response, subject)

    def listed(self, path: str, subject: Subject, *, params: Mapping[str, Any]) -> Iterator[Any]:
        """The items of a paged listing. Raises HubError after 100 pages."""
        url: str | None = self._endpoint + path
        following: Mapping[str, Any] | None = params
        for _ in range(_MAX_PAGES):
            if url is None:
                return
            response = self._retried("GET", url, subject, params=following, follow=True)
            yield from _json(response, subject)
            url, following = self._next_page(response), None
        if url is not None:
            raise HubError(f"{subject.repo} has too many files", repo=subject.repo)

    def head(self, url: str, subject: Subject) -> None:
        """Returns if the hub would serve `url`; follows redirects only within its own origin."""
        for _ in range(_MAX_REDIRECTS):
            response = self._retried("HEAD", url, subject, params=None, follow=False)
            if not response.has_redirect_location:
                return
            url = urljoin(url, response.headers["Location"])
            if origin(url) != origin(self._endpoint):
                return
        raise HubError(f"{subject.endpoint} redirects without end", repo=subject.repo)

    def _next_page(self, response: "httpx2.Response") -> str | None:
        link = response.links.get("next", {}).get("url")
        if link is None:
            return None
        # Behind a proxy or mirror the link may name another host, which must not get the token.
        page, own = urlsplit(link), urlsplit(self._endpoint)
        return page._replace(scheme=own.scheme, netloc=own.netloc).geturl()

    def _retried(
        self,
        method: str,
        url: str,
        subject: Subject,
        *,
        params: Mapping[str, Any] | None,
        follow: bool,
    ) -> "httpx2.Response":
        deadline = time.monotonic() + _BUDGET_S
        failures = 0
        while True:
            timeout_s = min(self._timeout_s, max(0.1, deadline - time.monotonic()))
            try:
                return self._once(method, url, subject, params, follow, timeout_s)
            except HubUnavailable as e:
                failures += 1
                asked_s = e.retry_after_s
                delay_s = jitter_s(failures, base_s=_BACKOFF_S) if asked_s is None else asked_s
                if failures == _TRIES or time.monotonic() + delay_s >= deadline:
                    raise
                if self._closed.wait(delay_s):
                    raise

    def _once(
        self,
        method: str,
        url: str,
        subject: Subject,
        params: Mapping[str, Any] | None,
        follow: bool,
        timeout_s: float,
    ) -> "httpx2.Response":
        self._used = True
        try:
            response: httpx2.Response = utils.get_session().request(
                method,
                url,
                params=params,
                headers=self._headers,
                timeout=timeout_s,
                follow_redirects=follow,
            )
            utils.hf_raise_for_status(response)
        except (utils.httpx.HTTPError, utils.httpx.InvalidURL, utils.OfflineModeIsEnabled) as e:
            raise translated(e, subject) from e
        return response


def _json(response: "httpx2.Response", subject: Subject) -> Any:
    try:
        return response.json()
    except ValueError as e:
        raise HubError(f"{subject.endpoint} does not answer like a hub", repo=subject.repo) from e
