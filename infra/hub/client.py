"""What the rest of the house asks of the hub: a pinned snapshot, access to it, who we are.

Refuses to fetch content (`transfer` does) and to use a token that it was not given.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from infra.hub.errors import Gated, HubError, Subject, translated
from infra.hub.library import utils
from infra.hub.metadata import MetadataRequests
from infra.hub.origin import file_url
from infra.hub.snapshot import HubFile, HubSnapshot, check_paths
from infra.settings import Hub

__all__ = ["HubClient", "HubFile", "HubSnapshot"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Requests in flight for all users of this process; the rest queue.
_THREADS = 4

T = TypeVar("T")


class HubClient:
    """Owns a few threads, in which the blocking requests run. Every method raises HubError only.

    A cancelled caller returns at once; its request ends by itself within ten seconds or so.
    """

    def __init__(self, settings: Hub) -> None:
        token = settings.token.get_secret_value() if settings.token else None
        self._subject = Subject(settings.endpoint.rstrip("/"), with_token=bool(token))
        self._requests = MetadataRequests(
            self._subject.endpoint, token, timeout_s=settings.timeout_s
        )
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="hub")
        self._account: str | None = None

    async def snapshot(self, repo: str, revision: str | None) -> HubSnapshot:
        """Pins `revision` (branch, tag or commit; None: the default branch) and lists its files.

        Succeeds for a gated repository without access: only serving content is gated, so that
        `check_access` has to be asked. Raises UnsafePath for a listing that must not be written.
        """
        subject = replace(self._subject, repo=repo, revision=revision)
        return await self._in_thread(lambda: self._pinned(subject))

    async def check_access(self, snapshot: HubSnapshot, path: str) -> None:
        """One HEAD for one file: raises Gated, RepoNotFound, EntryNotFound … or returns."""
        subject = replace(self._subject, repo=snapshot.repo, revision=snapshot.revision, path=path)
        url = file_url(subject.endpoint, snapshot.repo, snapshot.revision, path)
        try:
            await self._in_thread(lambda: self._requests.head(url, subject))
        except Gated as e:
            raise e.for_account(await self._account_if_told()) from e

    async def account(self) -> str | None:
        """Who the token belongs to; None without a token. Asked once: the hub limits it hard."""
        if self._account is None and self._subject.with_token:
            self._account = await self._in_thread(self._whoami)
        return self._account

    async def aclose(self) -> None:
        """Refuses new requests and drops the queued ones; does not wait for those in flight.

        Closes the connections that huggingface_hub keeps for the whole process.
        """
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._requests.close()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def _account_if_told(self) -> str | None:
        try:
            return await self.account()
        except HubError:
            return None

    def _whoami(self) -> str:
        answer = self._requests.document("/api/whoami-v2", self._subject)
        with _taking_apart(self._subject):
            return str(answer["name"])

    def _pinned(self, subject: Subject) -> HubSnapshot:
        repo, revision = subject.repo, subject.revision
        try:
            utils.validate_repo_id(repo)
        except utils.HFValidationError as e:
            raise translated(e, subject) from e
        at = "" if revision is None else f"/revision/{quote(revision, safe='')}"
        wanted = {"expand": ["sha", "gated", "private", "cardData", "tags"]}
        info = self._requests.document(f"/api/models/{repo}{at}", subject, params=wanted)
        with _taking_apart(subject):
            commit = _matching(_COMMIT, info["sha"])
        files = self._files(replace(subject, revision=commit))
        with _taking_apart(subject):
            return HubSnapshot(
                repo=str(repo),
                revision=commit,
                requested_revision=revision,
                files=files,
                gated=bool(info.get("gated")),
                private=bool(info.get("private")),
                license=_license(info),
            )

    def _files(self, subject: Subject) -> tuple[HubFile, ...]:
        path = f"/api/models/{subject.repo}/tree/{subject.revision}"
        entries = self._requests.listed(path, subject, params={"recursive": True, "expand": False})
        with _taking_apart(subject):
            files = [_file(entry) for entry in entries if entry["type"] == "file"]
        check_paths(files, repo=str(subject.repo))
        return tuple(sorted(files, key=lambda file: file.path))


@contextmanager
def _taking_apart(subject: Subject) -> Iterator[None]:
    """What goes wrong while an answer is taken apart is the hub's fault, and a HubError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        message = f"{subject.endpoint} does not answer like a hub ({e!r})"
        raise HubError(message, repo=subject.repo) from e


def _file(entry: Mapping[str, Any]) -> HubFile:
    lfs = entry.get("lfs")
    size_bytes = int((lfs or entry)["size"])
    if size_bytes < 0:
        raise ValueError(f"a size of {size_bytes}")
    return HubFile(
        path=str(entry["path"]),
        size_bytes=size_bytes,
        sha256=_matching(_SHA256, lfs["oid"]) if lfs else None,
        blob_id=_matching(_COMMIT, entry["oid"]),
    )


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"unexpected {text!r}")
    return text


def _license(info: Mapping[str, Any]) -> str | None:
    """The card's word; else the tag that the hub derives from it."""
    card = info.get("cardData")
    if isinstance(card, Mapping) and isinstance(card.get("license"), str):
        return str(card["license"])
    tags = info.get("tags") or []
    return next((tag[8:] for tag in tags if tag.startswith("license:")), None)
