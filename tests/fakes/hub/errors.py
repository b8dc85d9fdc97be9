"""The refusals of the hub; the client maps status, X-Error-Code and X-Error-Message to exceptions.

HubError
├── repository_not_found   401 anonymous, 404 with a token (missing and private look the same)
├── gated                  401 anonymous, 403 with a token without a grant
├── revision_not_found     404
├── entry_not_found        404, with X-Repo-Commit
├── bad_credentials        401
└── bad_request            400
"""

import uuid
from collections.abc import Mapping

from aiohttp import web


class HubError(Exception):
    """A refusal on its way to the client."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        headers = {
            "X-Error-Message": self.message,
            "X-Request-Id": f"Root=1-{uuid.uuid4()}",
            **self.headers,
        }
        if self.code:
            headers["X-Error-Code"] = self.code
        return web.json_response({"error": self.message}, status=self.status, headers=headers)


def repository_not_found(*, authenticated: bool) -> HubError:
    return HubError(404 if authenticated else 401, "RepoNotFound", "Repository not found")


def gated(repository_id: str, *, authenticated: bool) -> HubError:
    reason = (
        "you are not in the authorized list. Ask for access on its page."
        if authenticated
        else "you must be authenticated to access it. Please log in."
    )
    message = f"Access to model {repository_id} is restricted and {reason}"
    return HubError(403 if authenticated else 401, "GatedRepo", message)


def revision_not_found(revision: str) -> HubError:
    return HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def entry_not_found(commit_sha: str) -> HubError:
    return HubError(404, "EntryNotFound", "Entry not found", headers={"X-Repo-Commit": commit_sha})


def bad_credentials() -> HubError:
    return HubError(401, "", "Invalid credentials in Authorization header")


def bad_request(message: str) -> HubError:
    return HubError(400, "", message)
