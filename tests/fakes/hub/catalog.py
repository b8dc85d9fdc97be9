"""The repositories on the double, their commits, branches and tags.

Owned by the event loop of the server; no locks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.fakes.hub import errors
from tests.fakes.hub.accounts import Account, sees
from tests.fakes.hub.repositories import Commit, Content, File, Repository, commit_of, file_of

BIRTH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Hosted:
    """A repository with its history."""

    repository: Repository
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    substitutes: dict[tuple[str, str], File] = field(default_factory=dict)
    """By commit and path: what is delivered in place of what the tree of that commit lists."""

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    def commit(self, revision: str) -> Commit:
        """The commit of a branch, tag, full ref or sha. Raises HubError."""
        sha = (
            self.branches.get(revision.removeprefix("refs/heads/"))
            or self.tags.get(revision.removeprefix("refs/tags/"))
            or revision
        )
        if sha not in self.commits:
            raise errors.revision_not_found(revision)
        return self.commits[sha]

    def delivered(self, commit: Commit, path: str) -> File:
        """The file that a download gets. Raises HubError."""
        file = self.substitutes.get((commit.sha, path)) or commit.files.get(path)
        if file is None:
            raise errors.entry_not_found(commit.sha)
        return file


class Catalog:
    """All repositories by id, and all blobs by sha256."""

    def __init__(self) -> None:
        self._hosted: dict[str, Hosted] = {}
        self._blobs: dict[str, File] = {}
        self._names: dict[str, set[str]] = {}

    def add(self, repository: Repository) -> str:
        """Hosts a repository, in place of any of that id, and returns the commit of main."""
        files = {path: file_of(path, content) for path, content in repository.files.items()}
        hosted = Hosted(repository)
        self._hosted[repository.id] = hosted
        sha = self._commit(hosted, files, branch="main")
        hosted.tags = dict.fromkeys(repository.git_tags, sha)
        return sha

    def move_branch(
        self, repository_id: str, changes: Mapping[str, Content | None], *, branch: str = "main"
    ) -> str:
        """Commits changes (None: delete) to a branch, made from main if new; returns the commit."""
        hosted = self._hosted[repository_id]
        files = dict(hosted.commits[hosted.branches.get(branch, hosted.branches["main"])].files)
        for path, content in changes.items():
            if content is None:
                del files[path]
            else:
                files[path] = file_of(path, content)
        return self._commit(hosted, files, branch=branch)

    def mutate(self, repository_id: str, path: str, content: Content) -> None:
        """Main's present commit delivers this content from now on; its tree lists the old one."""
        hosted = self._hosted[repository_id]
        if path not in hosted.head.files:
            raise KeyError(f"{path!r} is not in {repository_id}")
        file = file_of(path, content)
        hosted.substitutes[hosted.head.sha, path] = file
        self._register(hosted, file)

    def visible(self, account: Account | None) -> list[Hosted]:
        return [hosted for hosted in self._hosted.values() if sees(account, hosted.repository)]

    def get(self, repository_id: str, *, account: Account | None) -> Hosted:
        """Raises HubError if the repository is missing or hidden from that account."""
        hosted = self._hosted.get(repository_id)
        if hosted is None or not sees(account, hosted.repository):
            raise errors.repository_not_found(authenticated=account is not None)
        return hosted

    def file(self, repository_id: str, path: str, *, revision: str = "main") -> File:
        return self._hosted[repository_id].commit(revision).files[path]

    def blob(self, sha256: str) -> File | None:
        return self._blobs.get(sha256)

    def names(self, sha256: str) -> frozenset[str]:
        """Every `namespace/name/path` that has this content."""
        return frozenset(self._names.get(sha256, ()))

    def _commit(self, hosted: Hosted, files: Mapping[str, File], *, branch: str) -> str:
        created_at = BIRTH + timedelta(minutes=len(hosted.commits))
        commit = commit_of(hosted.repository.id, files, created_at=created_at)
        hosted.commits.setdefault(commit.sha, commit)
        hosted.branches[branch] = commit.sha
        for file in files.values():
            self._register(hosted, file)
        return commit.sha

    def _register(self, hosted: Hosted, file: File) -> None:
        self._blobs[file.sha256] = file
        self._names.setdefault(file.sha256, set()).add(f"{hosted.repository.id}/{file.path}")
