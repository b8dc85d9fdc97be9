"""Tokens: the admin's file, an operator's own token, and who is let in."""

import asyncio
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import Unauthenticated
from core.principal import Scope
from core.tokens.service import Tokens
from infra.db.store import Store

CHOSEN = "chosen-by-an-operator-0123"


async def test_first_start_makes_a_private_file_whose_token_is_admin(store: Store, tmp_path: Path):
    file = tmp_path / "admin.token"
    await Tokens(store).ensure_admin_file(file, None)
    secret = file.read_text().strip()
    principal = await Tokens(store).authenticate(secret)
    assert (principal.name, principal.scopes) == ("admin", frozenset({Scope.ADMIN}))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret.startswith("mllm_")


async def test_second_start_keeps_the_token(store: Store, tmp_path: Path):
    file = tmp_path / "admin.token"
    await Tokens(store).ensure_admin_file(file, None)
    before = file.read_text()
    await Tokens(store).ensure_admin_file(file, None)
    assert file.read_text() == before


async def test_a_lost_file_gets_a_new_token_and_the_old_one_stops_working(
    store: Store, tmp_path: Path
):
    file = tmp_path / "admin.token"
    await Tokens(store).ensure_admin_file(file, None)
    old = file.read_text().strip()
    file.unlink()
    await Tokens(store).ensure_admin_file(file, None)
    await Tokens(store).authenticate(file.read_text().strip())
    with pytest.raises(Unauthenticated):
        await Tokens(store).authenticate(old)


async def test_an_operators_token_replaces_the_made_one_also_in_the_file(
    store: Store, tmp_path: Path
):
    file = tmp_path / "admin.token"
    await Tokens(store).ensure_admin_file(file, None)
    made = file.read_text().strip()
    await Tokens(store).ensure_admin_file(file, SecretStr(CHOSEN))
    assert file.read_text().strip() == CHOSEN
    assert (await Tokens(store).authenticate(CHOSEN)).name == "admin"
    with pytest.raises(Unauthenticated):
        await Tokens(store).authenticate(made)


async def test_replicas_that_bring_the_same_token_at_once_agree(store: Store):
    await asyncio.gather(*(Tokens(store).ensure_admin(CHOSEN) for _ in range(8)))
    assert (await Tokens(store).authenticate(CHOSEN)).name == "admin"


async def test_an_unknown_secret_is_unauthenticated(store: Store):
    with pytest.raises(Unauthenticated):
        await Tokens(store).authenticate("mllm_nothing")
