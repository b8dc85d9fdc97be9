"""The JSON routes below /api: search, repositories, trees, refs, accounts.

Names on the wire are those that huggingface_hub 2.4 reads. Refuses to write.
"""

import time
from collections.abc import Sequence

from aiohttp import web

from tests.fakes.hub import documents, errors, listing
from tests.fakes.hub.accounts import account_of, opens
from tests.fakes.hub.catalog import Catalog, Hosted
from tests.fakes.hub.options import Switchboard
from tests.fakes.hub.origin import Origin

TREE_PAGE_SIZE = 1000
XET_TOKEN_TTL_S = 3600


class Api:
    """Trees of gated repositories are open to all, as on the real hub; their content is not."""

    def __init__(self, *, cdn: Origin, catalog: Catalog, switchboard: Switchboard) -> None:
        self._cdn = cdn
        self._catalog = catalog
        self._switchboard = switchboard

    def routes(self) -> list[web.RouteDef]:
        model = "/api/models/{ns}/{name}"
        return [
            web.get("/api/whoami-v2", self.whoami, name="whoami"),
            web.get("/api/models", self.models, name="models"),
            web.get(model, self.model, name="model"),
            web.get(f"{model}/revision/{{rev}}", self.model, name="model-revision"),
            web.get(f"{model}/refs", self.refs, name="refs"),
            web.get(f"{model}/tree/{{rev}}", self.tree, name="tree"),
            web.get(f"{model}/tree/{{rev}}/{{path:.*}}", self.tree, name="tree-path"),
            web.post(f"{model}/paths-info/{{rev}}", self.paths_info, name="paths-info"),
            web.get(f"{model}/xet-read-token/{{rev}}", self.xet_token, name="xet-token"),
        ]

    async def whoami(self, request: web.Request) -> web.Response:
        account = account_of(request)
        if account is None:
            raise errors.bad_credentials()
        access_token = {"displayName": "test", "role": "read"}
        return web.json_response(
            {
                "type": "user",
                "id": account.name,
                "name": account.name,
                "fullname": account.name.title(),
                "orgs": [],
                "auth": {"type": "access_token", "accessToken": access_token},
            }
        )

    async def models(self, request: web.Request) -> web.Response:
        visible = self._catalog.visible(account_of(request))
        found = listing.models(visible, request.query)
        return listing.page(request, found, largest=listing.PAGE_SIZE)

    async def model(self, request: web.Request) -> web.Response:
        hosted = self._hosted(request)
        commit = hosted.commit(request.match_info.get("rev", "main"))
        document = documents.model(hosted, commit, blobs=listing.flag(request.query, "blobs"))
        expand = listing.many(request.query, "expand")
        if expand:
            document = documents.select(document, {"_id", "id", *expand})
        return web.json_response(document)

    async def refs(self, request: web.Request) -> web.Response:
        hosted = self._hosted(request)
        answer: dict[str, object] = {
            "branches": [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha}
                for name, sha in hosted.branches.items()
            ],
            "tags": [
                {"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha}
                for name, sha in hosted.tags.items()
            ],
            "converts": [],
        }
        if listing.flag(request.query, "include_prs"):
            answer["pullRequests"] = []
        return web.json_response(answer)

    async def tree(self, request: web.Request) -> web.Response:
        hosted = self._hosted(request)
        commit = hosted.commit(request.match_info["rev"])
        below = request.match_info.get("path", "").strip("/")
        entries = list(
            documents.tree(
                commit,
                below=below,
                recursive=listing.flag(request.query, "recursive"),
                xet=self._switchboard.options.xet,
                expand=listing.flag(request.query, "expand"),
            )
        )
        if below and not entries:
            raise errors.entry_not_found(commit.sha)
        response = listing.page(request, entries, largest=TREE_PAGE_SIZE)
        response.headers["X-Repo-Commit"] = commit.sha
        return response

    async def paths_info(self, request: web.Request) -> web.Response:
        hosted = self._hosted(request)
        commit = hosted.commit(request.match_info["rev"])
        paths, expand = await _asked_paths(request)
        known = documents.folders(commit)
        answer = []
        for path in paths:
            if path in commit.files:
                file = commit.files[path]
                answer.append(
                    documents.entry(
                        file, commit=commit, xet=self._switchboard.options.xet, expand=expand
                    )
                )
            elif path in known:
                answer.append(documents.folder(path, commit=commit, expand=expand))
        return web.json_response(answer)

    async def xet_token(self, request: web.Request) -> web.Response:
        hosted = self._hosted(request)
        account = account_of(request)
        if not self._switchboard.options.xet:
            raise errors.HubError(404, "", "Xet is not enabled for this repository")
        if not opens(account, hosted.repository):
            raise errors.gated(hosted.repository.id, authenticated=account is not None)
        commit = hosted.commit(request.match_info["rev"])
        expires_at = int(time.time()) + XET_TOKEN_TTL_S
        token = f"xet_{commit.sha}"
        headers = {
            "X-Xet-Cas-Url": self._cdn.url,
            "X-Xet-Access-Token": token,
            "X-Xet-Token-Expiration": str(expires_at),
        }
        answer = {"casUrl": self._cdn.url, "accessToken": token, "exp": expires_at}
        return web.json_response(answer, headers=headers)

    def _hosted(self, request: web.Request) -> Hosted:
        info = request.match_info
        return self._catalog.get(f"{info['ns']}/{info['name']}", account=account_of(request))


async def _asked_paths(request: web.Request) -> tuple[Sequence[str], bool]:
    """The body is a form or JSON. Raises HubError."""
    if request.content_type != "application/json":
        form = await request.post()
        expand = str(form.get("expand", "")).lower() in ("1", "true")
        return [str(path) for path in form.getall("paths", [])], expand
    try:
        body = await request.json()
        paths = body["paths"]
        return [paths] if isinstance(paths, str) else list(paths), bool(body.get("expand", False))
    except (ValueError, KeyError, TypeError) as error:
        raise errors.bad_request("paths is required") from error
