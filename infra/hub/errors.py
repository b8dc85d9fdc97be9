"""Everything the hub and a transfer can fail with; nothing of httpx or the hub library gets past.

HubError
├── RepoNotFound        missing, or private and not visible to this token
├── RevisionNotFound    no such branch, tag or commit
├── EntryNotFound       no such file at the commit
├── Gated               the licence is not accepted by the account in use
├── AuthFailed          the token is refused, or may not read this
├── UnsafePath          the listing names a file that must not be written
├── HubUnavailable      unreachable, silent, or 408, 429, 5xx to the end   (retryable)
├── CorruptContent      twice other bytes than the commit promises
├── DiskFull            no room below the staging folder
└── TransferStopped     the caller asked for it
"""

from dataclasses import dataclass
from typing import ClassVar

from infra.hub.backoff import Headers, server_delay_s
from infra.hub.library import utils


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked of the hub. `with_token`: the request carried one."""

    endpoint: str
    repo: str | None = None
    revision: str | None = None
    path: str | None = None
    with_token: bool = False


class HubError(Exception):
    """Root of the tree. Every field beside the message is optional, so that all of it pickles."""

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        repo: str | None = None,
        revision: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.repo = repo
        self.revision = revision
        self.path = path


class RepoNotFound(HubError):
    """The hub answers alike for a repository that is missing and for one that is hidden."""


class RevisionNotFound(HubError):
    """`revision` is neither a branch nor a tag nor a commit of `repo`."""


class EntryNotFound(HubError):
    """`path` does not exist in `repo` at `revision`."""


class Gated(HubError):
    """The repository asks for its licence to be accepted, at `licence_url`.

    `account`: who the token belongs to; None: no token, or not known.
    """

    def __init__(
        self,
        message: str = "",
        *,
        repo: str | None = None,
        licence_url: str = "",
        account: str | None = None,
    ) -> None:
        super().__init__(message, repo=repo)
        self.licence_url = licence_url
        self.account = account

    def for_account(self, account: str | None) -> "Gated":
        """The same, told to the account in question."""
        who = f"the account {account!r}" if account else "this account"
        message = f"{self.repo} is gated and {who} has no access: ask for it at {self.licence_url}"
        return Gated(message, repo=self.repo, licence_url=self.licence_url, account=account)


class AuthFailed(HubError):
    """The token is invalid, expired, or lacks the permission to read."""


class UnsafePath(HubError):
    """A listing is refused as a whole for one hostile or impossible `path`."""


class HubUnavailable(HubError):
    """`retry_after_s`: what the server asked for; None: it did not say."""

    retryable = True

    def __init__(
        self,
        message: str = "",
        *,
        repo: str | None = None,
        path: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, repo=repo, path=path)
        self.retry_after_s = retry_after_s


class CorruptContent(HubError):
    """`expected` and `actual` are both digests in hex, or both sizes as `N bytes`."""

    def __init__(
        self, message: str = "", *, path: str | None = None, expected: str = "", actual: str = ""
    ) -> None:
        super().__init__(message, path=path)
        self.expected = expected
        self.actual = actual


class DiskFull(HubError):
    """The volume, or the quota on it, has no room for `path`."""


class TransferStopped(HubError):
    """Partial files stay where they are, for the next attempt."""


def refusal(status: int, headers: Headers, subject: Subject) -> HubError:
    """The error that an answer of the hub stands for.

    Codes as sent by the hub and read by huggingface_hub 2.4, `utils/_http.py:hf_raise_for_status`;
    a 401 without a code means "hidden or missing" for an anonymous request and "bad token" for one
    with a token, on http and https alike (the library tells them apart on https only).
    """
    repo, revision, path = subject.repo, subject.revision, subject.path
    match headers.get("X-Error-Code"):
        case "GatedRepo":
            licence_url = f"{subject.endpoint}/{repo}"
            return Gated(repo=repo, licence_url=licence_url).for_account(None)
        case "RevisionNotFound":
            message = f"{repo} has no revision {revision!r}"
            return RevisionNotFound(message, repo=repo, revision=revision)
        case "EntryNotFound":
            return _missing_entry(subject)
        case "RepoNotFound":
            return _missing_repo(subject)
    said = headers.get("X-Error-Message")
    if status in (401, 403):
        if status == 401 and repo and not subject.with_token:
            return _missing_repo(subject)
        token = "the token" if subject.with_token else "a request without a token"
        message = f"{subject.endpoint} refuses {token} ({said or status})"
        return AuthFailed(message, repo=repo, path=path)
    if status == 404 and repo:
        return _missing_entry(subject) if path else _missing_repo(subject)
    if status in (408, 429) or status >= 500:
        message = f"{subject.endpoint} answers {status}" + (f": {said}" if said else "")
        delay_s = server_delay_s(headers)
        return HubUnavailable(message, repo=repo, path=path, retry_after_s=delay_s)
    message = f"{subject.endpoint} answers {status} unexpectedly" + (f": {said}" if said else "")
    return HubError(message, repo=repo, revision=revision, path=path)


def translated(error: Exception, subject: Subject) -> HubError:
    """What an exception of the hub library or of httpx means; to be raised `from` it."""
    if isinstance(error, utils.HfHubHTTPError):
        return refusal(error.response.status_code, error.response.headers, subject)
    if isinstance(error, utils.HFValidationError):
        return RepoNotFound(f"{subject.repo!r} is not the name of a repository", repo=subject.repo)
    if isinstance(error, utils.OfflineModeIsEnabled):
        return HubUnavailable("the environment says HF_HUB_OFFLINE", repo=subject.repo)
    message = f"cannot reach {subject.endpoint}: {error or type(error).__name__}"
    return HubUnavailable(message, repo=subject.repo, path=subject.path)


def _missing_repo(subject: Subject) -> RepoNotFound:
    seen = (
        "not visible to the token in use" if subject.with_token else "private (there is no token)"
    )
    message = f"{subject.repo} does not exist on {subject.endpoint}, or it is {seen}"
    return RepoNotFound(message, repo=subject.repo)


def _missing_entry(subject: Subject) -> EntryNotFound:
    message = f"{subject.repo} has no file {subject.path!r} at {subject.revision}"
    repo, revision, path = subject.repo, subject.revision, subject.path
    return EntryNotFound(message, repo=repo, revision=revision, path=path)
