"""What the domain asks of the hub, with the hub's refusals said in the domain's words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.errors import Corrupt, DomainError, Gated, Invalid, NoSpace, NotFound, Unavailable
from infra.hub import errors
from infra.hub.client import HubClient, HubFile, HubSnapshot


class Hub:
    def __init__(self, client: HubClient) -> None:
        self._client = client

    async def snapshot(self, repo: str, revision: str | None) -> HubSnapshot:
        """The repository pinned to a commit, with its files.

        Raises NotFound (field hubRepo or revision), Gated, Invalid, Unavailable.
        """
        async with _translated():
            return await self._client.snapshot(repo, revision)

    async def check_access(self, snapshot: HubSnapshot, file: HubFile) -> None:
        """Raises Gated before anything is queued, where the listing is public and the files are
        not.
        """
        async with _translated():
            await self._client.check_access(snapshot, file.path)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except errors.HubError as e:
        raise domain_error(e) from e


def domain_error(error: errors.HubError) -> DomainError:
    """The hub's refusal in the domain's words, with what the caller can do about it."""
    message = str(error)
    match error:
        case errors.Gated():
            return Gated(
                message,
                field=["hubRepo"],
                hint=f"accept the licence at {error.licence_url}"
                f" as {error.account or 'the owner of HF_TOKEN'}, then try again",
            )
        case errors.RepoNotFound():
            hint = "check the name; a private repository needs HF_TOKEN of an account that sees it"
            return NotFound(message, field=["hubRepo"], hint=hint)
        case errors.RevisionNotFound():
            hint = "name a branch, a tag or a commit of 40 hexadecimal digits"
            return NotFound(message, field=["revision"], hint=hint)
        case errors.EntryNotFound():
            return NotFound(message, hint="the repository changed; ask again")
        case errors.AuthFailed():
            hint = "set HF_TOKEN to a valid token of the hub and restart mllm"
            return Gated(message, field=["hubRepo"], hint=hint)
        case errors.UnsafePath():
            return Invalid(message, field=["hubRepo"], hint="mllm does not install this repository")
        case errors.CorruptContent():
            hint = "the hub or a proxy serves other bytes than the commit names; try again later"
            return Corrupt(message, hint=hint)
        case errors.DiskFull():
            return NoSpace(message, hint="free space on the volume, then install again")
        case _:
            return Unavailable(message, hint="is the hub up? HF_ENDPOINT names it")
