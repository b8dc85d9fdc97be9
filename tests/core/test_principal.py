"""Scopes imply each other upwards only."""

import pytest

from core.errors import Forbidden
from core.principal import Principal, Scope


def holding(*scopes: Scope) -> Principal:
    return Principal("tok_x", "ann", frozenset(scopes))


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        ([], set()),
        ([Scope.READ], {Scope.READ}),
        ([Scope.WRITE], {Scope.READ, Scope.WRITE}),
        ([Scope.ADMIN], {Scope.READ, Scope.WRITE, Scope.ADMIN}),
        ([Scope.READ, Scope.WRITE], {Scope.READ, Scope.WRITE}),
    ],
)
def test_scope_allows_itself_and_what_it_implies(held: list[Scope], allowed: set[Scope]):
    principal = holding(*held)
    assert {scope for scope in Scope if principal.has(scope)} == allowed
    for scope in Scope:
        if scope in allowed:
            principal.require(scope)
        else:
            with pytest.raises(Forbidden, match=f"a token with the scope {scope}") as e:
                principal.require(scope)
            assert e.value.code == "FORBIDDEN"
