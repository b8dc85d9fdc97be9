"""A snapshot is pinned, complete and typed; what the hub refuses has a name."""

import asyncio
import hashlib
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from pydantic import SecretStr

from infra.hub.client import HubClient, HubFile
from infra.hub.errors import (
    AuthFailed,
    EntryNotFound,
    Gated,
    HubError,
    HubUnavailable,
    RepoNotFound,
    RevisionNotFound,
)
from infra.settings import Hub
from tests.fakes.hub import HubOptions
from tests.fakes.hub.faults import Status
from tests.infra.hub.repository import CONFIG, FILES, REPO, WEIGHTS, tiny
from tests.infra.hub.serving import serving

Connect = Callable[..., HubClient]


@pytest.fixture
async def connect(hub) -> AsyncIterator[Connect]:
    opened = []

    def connected(token: str | None = None, *, endpoint: str | None = None) -> HubClient:
        secret = SecretStr(token) if token else None
        opened.append(HubClient(Hub(endpoint=endpoint or hub.endpoint, token=secret, timeout_s=5)))
        return opened[-1]

    yield connected
    for client in opened:
        await client.aclose()


async def test_snapshot_lists_every_file_at_the_commit_with_its_hashes(hub, connect):
    commit = hub.add(tiny(license="apache-2.0"))
    snapshot = await connect().snapshot(REPO, None)
    assert (snapshot.repo, snapshot.revision, snapshot.requested_revision) == (REPO, commit, None)
    assert (snapshot.gated, snapshot.private, snapshot.license) == (False, False, "apache-2.0")
    assert [file.path for file in snapshot.files] == sorted(FILES)
    assert snapshot.size_bytes == sum(map(len, FILES.values()))
    by_path = {file.path: file for file in snapshot.files}
    listed = hub.file(REPO, WEIGHTS)
    sha256 = hashlib.sha256(FILES[WEIGHTS]).hexdigest()
    assert by_path[WEIGHTS] == HubFile(WEIGHTS, len(FILES[WEIGHTS]), sha256, listed.git_oid)
    blob = b"blob %d\0" % len(FILES[CONFIG]) + FILES[CONFIG]
    git_oid = hashlib.sha1(blob).hexdigest()
    assert by_path[CONFIG] == HubFile(CONFIG, len(FILES[CONFIG]), None, git_oid)


async def test_snapshot_follows_a_listing_over_its_pages(hub, connect):
    hub.add(tiny(files={f"part_{n:04}.json": b"%d" % n for n in range(2500)}))
    snapshot = await connect().snapshot(REPO, None)
    assert [file.path for file in snapshot.files] == [f"part_{n:04}.json" for n in range(2500)]
    assert hub.counters.hub.requests == {"GET model": 1, "GET tree": 3}


@pytest.mark.parametrize("revision", ["main", "v1", "feature/new"])
async def test_snapshot_pins_branches_and_tags_to_their_commit(hub, connect, revision):
    first = hub.add(tiny(git_tags=("v1",)))
    second = hub.move_branch(REPO, {CONFIG: b"{}"}, branch="feature/new")
    third = hub.move_branch(REPO, {CONFIG: b"[]"})
    pinned = {"main": third, "v1": first, "feature/new": second}
    snapshot = await connect().snapshot(REPO, revision)
    assert snapshot.revision == pinned[revision]
    assert snapshot.requested_revision == revision
    again = await connect().snapshot(REPO, snapshot.revision)
    assert again.files == snapshot.files


async def test_repository_without_a_license_has_none(hub, commit, connect):
    assert (await connect().snapshot(REPO, None)).license is None


async def test_missing_repository_is_not_found(connect):
    with pytest.raises(RepoNotFound) as caught:
        await connect().snapshot("acme/missing", None)
    assert caught.value.repo == "acme/missing"
    assert not caught.value.retryable


@pytest.mark.parametrize("repo", ["a/b/c", "../etc", "", "acme/tiny?x=1"])
async def test_impossible_name_is_not_found_without_a_request(hub, connect, repo):
    with pytest.raises(RepoNotFound):
        await connect().snapshot(repo, None)
    assert hub.counters.hub.request_count == 0


@pytest.mark.parametrize("token", [None, "hf_nogrant"])
async def test_private_repository_without_access_says_that_it_may_be_private(hub, connect, token):
    hub.add(tiny(private=True))
    with pytest.raises(RepoNotFound, match=r"or it is (private|not visible to the token)"):
        await connect(token).snapshot(REPO, None)


async def test_private_repository_is_listed_for_who_may_see_it(hub, connect):
    hub.add(tiny(private=True))
    snapshot = await connect("hf_good").snapshot(REPO, None)
    assert snapshot.private
    assert len(snapshot.files) == len(FILES)


async def test_unknown_revision_is_named(commit, connect):
    with pytest.raises(RevisionNotFound) as caught:
        await connect().snapshot(REPO, "v9")
    assert (caught.value.repo, caught.value.revision) == (REPO, "v9")


async def test_refused_token_is_not_taken_for_a_missing_repository(commit, connect):
    client = connect("hf_revoked")
    with pytest.raises(AuthFailed):
        await client.snapshot(REPO, None)
    with pytest.raises(AuthFailed):
        await client.account()


@pytest.mark.parametrize(("token", "account"), [(None, None), ("hf_nogrant", "bob")])
async def test_gated_repository_is_listed_but_not_open(hub, connect, token, account):
    hub.add(tiny(gated="manual"))
    client = connect(token)
    snapshot = await client.snapshot(REPO, None)
    assert snapshot.gated
    with pytest.raises(Gated) as caught:
        await client.check_access(snapshot, WEIGHTS)
    assert caught.value.licence_url == f"{hub.endpoint}/{REPO}"
    assert caught.value.account == account
    assert caught.value.repo == REPO


async def test_gated_is_told_even_if_the_account_is_not(hub, connect):
    hub.add(tiny(gated="manual"))
    client = connect("hf_nogrant")
    snapshot = await client.snapshot(REPO, None)
    hub.faults.hub.set(Status(status=429, retry_after_s=60, target="/api/whoami-v2"))
    with pytest.raises(Gated) as caught:
        await client.check_access(snapshot, WEIGHTS)
    assert caught.value.account is None


@pytest.mark.parametrize("options", [HubOptions(), HubOptions(resolve_cache=True)])
@pytest.mark.parametrize("path", [WEIGHTS, CONFIG])
async def test_granted_account_has_access(hub, connect, path, options):
    hub.add(tiny(gated="manual"))
    hub.options = options
    client = connect("hf_good")
    await client.check_access(await client.snapshot(REPO, None), path)
    assert hub.counters.cdn.request_count == 0
    assert hub.counters.hub.requests["HEAD resolve"] == 1


async def test_access_to_a_missing_file_says_so(commit, connect):
    client = connect()
    with pytest.raises(EntryNotFound) as caught:
        await client.check_access(await client.snapshot(REPO, None), "missing.bin")
    assert caught.value.path == "missing.bin"


async def test_account_is_asked_once_and_only_with_a_token(hub, connect):
    assert await connect().account() is None
    assert hub.counters.hub.request_count == 0
    client = connect("hf_good")
    assert [await client.account(), await client.account()] == ["alice", "alice"]
    assert hub.counters.hub.requests == {"GET whoami": 1}


async def test_token_of_the_library_is_never_used(hub, commit, connect, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    client = connect(None)
    await client.check_access(await client.snapshot(REPO, None), CONFIG)
    assert hub.counters.hub.authorized == 0


async def test_busy_hub_is_asked_again(hub, commit, connect):
    hub.faults.hub.set(Status(status=503, times=2))
    assert (await connect().snapshot(REPO, None)).revision == commit
    assert hub.counters.hub.statuses == {503: 2, 200: 2}


async def test_retry_after_is_honoured(hub, commit, connect):
    hub.faults.hub.set(Status(status=429, retry_after_s=1, times=1))
    begun = time.monotonic()
    await connect().snapshot(REPO, None)
    assert time.monotonic() - begun >= 1
    assert hub.counters.hub.statuses == {429: 1, 200: 2}


async def test_hub_that_stays_busy_is_unavailable_after_three_tries(hub, commit, connect):
    hub.faults.hub.set(Status(status=503, retry_after_s=0))
    with pytest.raises(HubUnavailable) as caught:
        await connect().snapshot(REPO, None)
    assert caught.value.retryable
    assert hub.counters.hub.statuses == {503: 3}


async def test_long_rate_limit_is_not_waited_for(hub, commit, connect):
    hub.faults.hub.set(Status(status=429, rate_limit_reset_s=55))
    begun = time.monotonic()
    with pytest.raises(HubUnavailable) as caught:
        await connect().snapshot(REPO, None)
    assert time.monotonic() - begun < 5
    assert caught.value.retry_after_s == 55
    assert hub.counters.hub.request_count == 1


async def test_unreachable_hub_is_unavailable(connect):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # taken, and nobody listens
        client = connect(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(HubUnavailable, match="cannot reach"):
            await client.snapshot(REPO, None)


async def test_endpoint_that_is_no_address_is_an_error_of_the_house(connect):
    with pytest.raises(HubError):
        await connect(endpoint="hub.example").snapshot(REPO, None)


async def test_silent_hub_is_unavailable_within_the_bound():
    async def silence(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(silence) as endpoint:
        client = HubClient(Hub(endpoint=endpoint, timeout_s=0.2))
        begun = time.monotonic()
        with pytest.raises(HubUnavailable):
            await client.snapshot(REPO, None)
        assert 0.6 <= time.monotonic() - begun < 5
        await client.aclose()


async def test_server_that_is_no_hub_is_told_apart():
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    async with serving(page) as endpoint:
        client = HubClient(Hub(endpoint=endpoint))
        with pytest.raises(HubError, match="does not answer like a hub"):
            await client.snapshot(REPO, None)
        await client.aclose()


async def test_closing_ends_the_wait_for_a_retry():
    asked = asyncio.Event()

    async def busy(_request: web.Request) -> web.Response:
        asked.set()
        return web.Response(status=503, headers={"Retry-After": "8"})

    async with serving(busy) as endpoint:
        client = HubClient(Hub(endpoint=endpoint))
        snapshot = asyncio.create_task(client.snapshot(REPO, None))
        await asyncio.wait_for(asked.wait(), 5)
        begun = time.monotonic()
        await client.aclose()
        with pytest.raises(HubUnavailable):
            await snapshot
        assert time.monotonic() - begun < 2
