"""How long events are held: the beginning of the log goes by age and number, samples go sooner.

Removes in small batches, each in a transaction that the caller fences. What readers are told of it
is in replay.py: the removed beginning is a gap to those who were there, a removed sample is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from core.feed import repository
from infra.db.batches import in_batches
from infra.db.store import Store, Tx
from infra.settings import Feed as FeedSettings

BATCH = 500
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Trimmed:
    """How many were removed: of the beginning of the log, and samples after it."""

    events: int
    samples: int


class FeedRetention:
    """Trims the log to what the settings keep."""

    def __init__(self, store: Store, settings: FeedSettings) -> None:
        self._store = store
        self._settings = settings

    async def trim(self, fence: Callable[[Tx], None]) -> Trimmed:
        """Removes what is too old or too much now. `fence` is called first in each transaction;
        what it raises rolls that one back and is raised.
        """
        samples = 0
        if self._settings.keep_samples_s:
            samples = await in_batches(partial(self._trim_samples, fence))
        surplus_to = 0
        if keep_rows := self._settings.keep_rows:
            surplus_to = await self._store.read(repository.surplus, keep_rows=keep_rows)
        events = await in_batches(partial(self._trim_beginning, fence, surplus_to))
        return Trimmed(events=events, samples=samples)

    async def _trim_samples(self, fence: Callable[[Tx], None]) -> int:
        keep_s = self._settings.keep_samples_s
        seqs = await self._store.read(repository.old_samples, keep_s=keep_s, limit=BATCH)
        return await self._store.write(_samples, fence, seqs) if seqs else 0

    async def _trim_beginning(self, fence: Callable[[Tx], None], surplus_to: int) -> int:
        keep_s = self._settings.keep_days * DAY_S or None
        # Looked up without write access: nothing is ever added to what is old already
        to_seq = await self._store.read(
            repository.removable, keep_s=keep_s, surplus_to=surplus_to, limit=BATCH
        )
        return await self._store.write(_beginning, fence, to_seq) if to_seq else 0


def _samples(tx: Tx, fence: Callable[[Tx], None], seqs: Sequence[int]) -> int:
    fence(tx)
    return repository.delete_samples(tx, seqs)


def _beginning(tx: Tx, fence: Callable[[Tx], None], to_seq: int) -> int:
    fence(tx)
    return repository.delete_beginning(tx, to_seq)
