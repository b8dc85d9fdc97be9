"""Long writes in short transactions, with room for the others in between."""

import asyncio
import time
from collections.abc import Awaitable, Callable

# A writer that waits for SQLite asks again after 1 to 100 ms (sqliteDefaultBusyCallback).
PAUSE_S = 0.02


async def in_batches(batch: Callable[[], Awaitable[int]]) -> int:
    """Repeats `batch` until it answers 0; the sum. Between two it waits as long as the last one
    took.
    """
    total = 0
    while True:
        began_s = time.monotonic()
        done = await batch()
        if done == 0:
            return total
        total += done
        await asyncio.sleep(max(PAUSE_S, time.monotonic() - began_s))
