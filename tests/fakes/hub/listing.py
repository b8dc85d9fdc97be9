"""Search over the repositories, and the pages of every list: opaque cursors in a Link header."""

import base64
import binascii
import re
from collections.abc import Sequence

from aiohttp import web
from multidict import MultiMapping

from tests.fakes.hub import errors
from tests.fakes.hub.catalog import Hosted
from tests.fakes.hub.documents import FULL_KEYS, LIST_KEYS, Document, model, select

PAGE_SIZE = 1000
PARAMETERS = frozenset(
    {
        "search",
        "author",
        "filter",
        "gated",
        "sort",
        "direction",
        "limit",
        "cursor",
        "expand",
        "full",
        "config",
        "cardData",
        "pipeline_tag",
        "num_parameters",
    }
)
SORT_KEYS = frozenset(("downloads", "likes", "lastModified", "createdAt", "trendingScore"))
SUFFIXES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def flag(query: MultiMapping[str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true")


def many(query: MultiMapping[str], name: str) -> list[str]:
    return [*query.getall(name, []), *query.getall(f"{name}[]", [])]


def models(hosted: Sequence[Hosted], query: MultiMapping[str]) -> list[Document]:
    """The documents a search finds, in order. Raises HubError for an unknown parameter."""
    unknown = {name.removesuffix("[]") for name in query} - PARAMETERS
    if unknown:
        raise errors.bad_request(f"the double does not know {', '.join(sorted(unknown))}")
    found = [document for document in map(_document, hosted) if _matches(document, query)]
    key = query.get("sort", "downloads")
    if key not in SORT_KEYS:
        raise errors.bad_request(f"sort must be one of {', '.join(sorted(SORT_KEYS))}")
    found.sort(key=lambda document: str(document["id"]))
    found.sort(key=lambda document: document[key], reverse=query.get("direction") != "1")
    keys = _keys(query)
    return [select(document, keys) for document in found]


def page(request: web.Request, items: Sequence[Document], *, largest: int) -> web.Response:
    """One page of a list; Link leads to the next. Raises HubError."""
    try:
        limit = min(int(request.query.get("limit", largest)), largest)
        cursor = request.query.get("cursor", "")
        start = int(base64.urlsafe_b64decode(cursor).decode() or 0)
    except (ValueError, binascii.Error) as error:
        raise errors.bad_request("Invalid limit or cursor") from error
    if limit < 1:
        raise errors.bad_request("limit must be positive")
    end = start + limit
    headers = {}
    if end < len(items):
        following = base64.urlsafe_b64encode(str(end).encode()).decode()
        headers["Link"] = f'<{request.url.update_query(cursor=following)}>; rel="next"'
    return web.json_response(items[start:end], headers=headers)


def _document(hosted: Hosted) -> Document:
    return model(hosted, hosted.head)


def _keys(query: MultiMapping[str]) -> frozenset[str]:
    expand = many(query, "expand")
    if expand:
        return frozenset(("_id", "id", *expand))
    keys = FULL_KEYS if flag(query, "full") else LIST_KEYS
    return keys | {"cardData"} if flag(query, "cardData") else keys


def _matches(document: Document, query: MultiMapping[str]) -> bool:
    repository_id = str(document["id"])
    author = query.get("author")
    gated = query.get("gated")
    pipeline_tag = query.get("pipeline_tag")
    return (
        query.get("search", "").lower() in repository_id.lower()
        and (not author or repository_id.startswith(f"{author}/"))
        and set(many(query, "filter")) <= set(document["tags"])
        and (gated is None or flag(query, "gated") == bool(document["gated"]))
        and (pipeline_tag is None or document.get("pipeline_tag") == pipeline_tag)
        and _in_size(document, query.get("num_parameters"))
    )


def _in_size(document: Document, bounds: str | None) -> bool:
    """`min:6B,max:128B`; repositories of unknown size are left out, as on the hub."""
    if bounds is None:
        return True
    total = document.get("safetensors", {}).get("total")
    for bound in bounds.split(","):
        match = re.fullmatch(r"(min|max):(\d+(?:\.\d+)?)([KMBT]?)", bound)
        if match is None:
            raise errors.bad_request("num_parameters looks like min:6B,max:128B")
        count = float(match[2]) * SUFFIXES[match[3]]
        if total is None or (total < count if match[1] == "min" else total > count):
            return False
    return True
