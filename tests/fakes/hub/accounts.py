"""Who knocks: the two tokens the double knows, and what they open."""

from dataclasses import dataclass

from aiohttp import web

from tests.fakes.hub import errors
from tests.fakes.hub.repositories import Repository


@dataclass(frozen=True, slots=True)
class Account:
    """`granted`: may read every private and every gated repository."""

    name: str
    granted: bool


ACCOUNTS = {
    "hf_good": Account("alice", granted=True),
    "hf_nogrant": Account("bob", granted=False),
}


def account_of(request: web.Request) -> Account | None:
    """The account of the bearer token; None: anonymous. Raises HubError for an unknown token."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    account = ACCOUNTS.get(header.removeprefix("Bearer "))
    if account is None or not header.startswith("Bearer "):
        raise errors.bad_credentials()
    return account


def sees(account: Account | None, repository: Repository) -> bool:
    return not repository.private or (account is not None and account.granted)


def opens(account: Account | None, repository: Repository) -> bool:
    closed = repository.private or repository.gated
    return not closed or (account is not None and account.granted)
