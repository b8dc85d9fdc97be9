"""Worlds in which nothing can be installed: the hub refuses us or is away, the disk is full."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.e2e.refusal import (
    FAILURE,
    GATED,
    PRIVATE,
    SMALL,
    mistake,
    nothing_happens,
    repositories,
    root_of,
)
from tests.fakes.hub import HubDouble
from tests.stack import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def hub() -> Iterator[HubDouble]:
    with HubDouble(repositories()) as hub:
        yield hub


@contextmanager
def world(hub: HubDouble, **env: str) -> Iterator[Stack]:
    with Stack(env={"HF_ENDPOINT": hub.endpoint, **env}) as stack:
        yield stack


def refused(stack: Stack, repo: str, *, code: str, says: str, hints: str, exit_code: int) -> None:
    """By GraphQL and by the command line alike."""
    with nothing_happens(stack):
        error = mistake(stack, hubRepo=repo)
        run = stack.cli("weights", "install", repo, "--watch")
    assert error["code"] == code
    assert says in error["message"]
    assert hints in error["hint"]
    assert (run.returncode, run.stdout) == (exit_code, "")
    first, second = run.stderr.splitlines()
    assert first.startswith("error: ")
    assert says in first
    assert second.startswith("hint: ")
    assert hints in second


def test_account_without_access_is_told_its_name_and_the_licence_page(hub: HubDouble):
    with world(hub, HF_TOKEN="hf_nogrant") as stack:
        refused(
            stack,
            GATED,
            code="GATED",
            says="the account 'bob' has no access",
            hints=f"accept the licence at {hub.endpoint}/{GATED} as bob",
            exit_code=FAILURE,
        )
        refused(
            stack,
            PRIVATE,
            code="NOT_FOUND",
            says="not visible to the token in use",
            hints="HF_TOKEN of an account that sees it",
            exit_code=FAILURE,
        )


def test_token_that_the_hub_does_not_know_is_told_and_never_shown(hub: HubDouble):
    with world(hub, HF_TOKEN="hf_unknown_secret") as stack:
        refused(
            stack,
            SMALL,
            code="GATED",
            says="refuses the token",
            hints="set HF_TOKEN to a valid token",
            exit_code=FAILURE,
        )
        logs = "".join(log.read_text() for log in stack.home.glob("logs/*.log"))
        settings = stack.graphql("{ system { settings } }")
        assert "hf_unknown_secret" not in logs + str(settings)


def test_hub_that_is_away_or_broken_is_told(hub: HubDouble):
    with world(hub, HF_ENDPOINT="http://127.0.0.1:9") as stack:
        refused(
            stack,
            SMALL,
            code="UNAVAILABLE",
            says="cannot reach http://127.0.0.1:9",
            hints="HF_ENDPOINT names it",
            exit_code=FAILURE,
        )


def test_disk_that_would_be_too_full_is_told_with_the_numbers(hub: HubDouble):
    env: Mapping[str, str] = {"MLLM_WEIGHTS__KEEP_FREE_BYTES": str(1 << 60)}
    with world(hub, **env) as stack:
        refused(
            stack,
            SMALL,
            code="NO_SPACE",
            says="3000003 bytes are needed and 0 can be used: ",
            hints="remove weights that are not needed",
            exit_code=FAILURE,
        )
        assert [p.name for p in root_of(stack).iterdir()] == [".staging"]
