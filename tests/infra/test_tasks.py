"""Background tasks are restarted after errors and gone after stop."""

import asyncio

import pytest

from infra.tasks import Background


async def test_task_that_raises_is_restarted_and_counted():
    runs = 0
    forever = asyncio.Event()

    async def flaky():
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("boom")
        forever.set()

    async with Background(backoff_s=0.001) as background:
        background.start("flaky", flaky)
        await asyncio.wait_for(forever.wait(), 5)
        assert background.failures == {"flaky": 2}
    assert runs == 3


async def test_cancellation_of_an_awaited_future_does_not_end_the_task():
    runs = 0
    again = asyncio.Event()

    async def awaits_a_cancelled_future():
        nonlocal runs
        runs += 1
        if runs == 2:
            again.set()
            return
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with Background(backoff_s=0.001) as background:
        background.start("loop", awaits_a_cancelled_future)
        await asyncio.wait_for(again.wait(), 5)
        assert background.failures == {"loop": 1}


async def test_stop_ends_tasks_that_swallow_one_cancellation():
    swallowed = asyncio.Event()
    started = asyncio.Event()

    async def stubborn():
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    background = Background()
    background.start("stubborn", stubborn)
    await started.wait()
    await asyncio.wait_for(background.stop(), 5)
    assert swallowed.is_set()
    assert {task.get_name() for task in asyncio.all_tasks()}.isdisjoint({"stubborn"})


async def test_name_is_refused_while_taken_and_free_afterwards():
    gate = asyncio.Event()
    runs = []

    async def once():
        runs.append(1)
        await gate.wait()

    async with Background() as background:
        background.start("once", once)
        with pytest.raises(ValueError, match="'once' is already running"):
            background.start("once", once)
        gate.set()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            await task
        background.start("once", once)
        await asyncio.sleep(0)
    assert len(runs) == 2
