"""Mistakes of the caller become part of a mutation's answer."""

import copy
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import DomainError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """Either a value, or why there is none."""

    value: T | None
    errors: list[DomainError]


async def answer(work: Awaitable[T], *, under: Sequence[str] = ()) -> Outcome[T]:
    """Awaits the use case; a DomainError is answered, its field below the argument `under`."""
    try:
        return Outcome(await work, [])
    except DomainError as e:
        told = copy.copy(e)
        told.field = [*under, *e.field] if e.field is not None else list(under) or None
        return Outcome(None, [told])
