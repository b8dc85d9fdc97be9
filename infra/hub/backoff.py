"""How long to wait before a request is sent again: what the server asks for, else full jitter."""

import random
import re
import time
from email.utils import parsedate_to_datetime
from typing import Protocol

# `"resolvers";r=0;t=55`: nothing left in the window, which ends in 55 s
# (draft-ietf-httpapi-ratelimit-headers-09, as the hub sends it).
_RATE_LIMIT = re.compile(r"\br\s*=\s*0\s*;\s*t\s*=\s*(\d{1,6})\b")
_CAP_S = 8.0


class Headers(Protocol):
    """Of a response; names are looked up without case."""

    def get(self, name: str, /) -> str | None: ...


def server_delay_s(headers: Headers) -> float | None:
    """Seconds that `RateLimit` or `Retry-After` (seconds or a date) ask for; None: neither does."""
    if spent := _RATE_LIMIT.search(headers.get("RateLimit") or ""):
        return float(spent[1])
    retry_after = (headers.get("Retry-After") or "").strip()
    if retry_after.isdecimal():
        return float(retry_after[:6])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def jitter_s(failures: int, *, base_s: float) -> float:
    """Full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015) after the n-th failure."""
    return random.uniform(0, min(_CAP_S, base_s * 2**failures))  # noqa: S311 - spreads load
