"""What is to be transferred, and who hears of its progress."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from infra.hub.snapshot import HubFile, check_paths
from infra.hub.transfer.throttle import Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPlan:
    """Files of one repository at one commit. Raises UnsafePath like the listing they came from.

    `token`: goes to the origin of `endpoint` only; None: anonymous. `revision`: 40 hex digits.
    `parallel_files`: large files at a time. `connections`: to begin with, for all files together;
    `max_connections`: as many as there may be once they prove to be worth it.
    `timeout_s`: to connect, and silence of the server after which a connection is given up; so it
    is when it brings less than `least_bytes_per_s` over `slow_after_s`.
    `backoff_s`: the unit of the pauses between retries where the server does not name one.
    `throttle`: may be that of other transfers too; None: no limit.
    """

    endpoint: str
    token: SecretStr | None
    repo: str
    revision: str
    files: tuple[HubFile, ...]
    parallel_files: int
    timeout_s: float
    connections: int = 4
    max_connections: int = 32
    backoff_s: float = 0.25
    least_bytes_per_s: float = 1024
    slow_after_s: float = 30
    throttle: Throttle | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_paths(self.files, repo=self.repo)


class Stop(Protocol):
    """Whether to go on; asked from several threads, before each change of the disk."""

    def is_set(self) -> bool:
        """True: nothing more may be written. As of threading.Event."""


class Observer(Protocol):
    """Hears every step, from several threads at once; must be quick and must not raise."""

    def file_started(self, path: str) -> None:
        """Once per file, before anything else about it."""

    def advanced(self, path: str, bytes_delta: int) -> None:
        """Bytes received, or found on the disk; negative when a file starts over."""

    def file_verified(self, path: str, sha256: str) -> None:
        """The file is in place. `sha256` is that of its content, for files kept in git too."""

    def retried(self, path: str, reason: str, delay_s: float) -> None:
        """A request failed for `reason` and is sent again after `delay_s`."""


def part_names(files: Iterable[HubFile]) -> dict[str, str]:
    """By path, the relative name under which a file grows: `<path>.part`.

    One more `.part` where the repository has such a name itself; equal for equal files, so that
    the next attempt finds what this one leaves.
    """
    paths = sorted(file.path for file in files)
    taken = set(paths)
    for path in paths:
        taken.update(path[:at] for at, character in enumerate(path) if character == "/")
    names = {}
    for path in paths:
        name = f"{path}.part"
        while name in taken:
            name += ".part"
        taken.add(name)
        names[path] = name
    return names
