"""Tasks that go on until they are told."""

import asyncio

from qflow_runner.ending import end


async def test_a_task_that_forgets_a_cancellation_is_ended_all_the_same() -> None:
    """As one does whose `wait_for` is done in that moment."""
    forgotten = 0

    async def stubborn() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if forgotten:
                    raise
                forgotten += 1

    async def meek() -> None:
        await asyncio.sleep(60)

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(meek())]
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await end([None, *tasks])

    assert [True, True] == [each.cancelled() for each in tasks]
    assert 1 == forgotten


async def test_what_was_never_begun_or_is_over_is_no_trouble() -> None:
    async def over() -> int:
        return 1

    task = asyncio.create_task(over())
    assert 1 == await task

    await end([None, task])
    await end([])
