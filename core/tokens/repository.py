"""SQL of tokens."""

from contextlib import suppress

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from core.tokens.entity import Token
from infra.db.store import Tx


def by_hash(tx: Tx, digest: str) -> Token | None:
    return tx.session.execute(select(Token).where(Token.hash == digest)).scalar_one_or_none()


def replace(tx: Tx, token: Token) -> None:
    """Inserts the token in place of one with the same name; of several processes that do so at
    once, one is first.
    """
    tx.session.execute(delete(Token).where(Token.name == token.name))
    with suppress(IntegrityError), tx.session.begin_nested():
        tx.session.add(token)
        tx.session.flush()
