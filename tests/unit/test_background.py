"""Tasks that nobody awaits, and the end of those that go on until they are told."""

import asyncio
import gc

from qflow_runner.background import Background, end


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


async def test_work_is_held_until_it_has_ended_also_what_it_starts_itself() -> None:
    background, done = Background(), list[str]()

    async def work(name: str, then: str = "") -> None:
        await asyncio.sleep(0.01)
        done.append(name)
        if then:
            background.start(work(then))

    background.start(work("first", then="second"))
    gc.collect()
    async with asyncio.timeout(10):
        await background.finish()

    assert ["first", "second"] == done


async def test_work_is_cancelled_at_the_end() -> None:
    background, ended = Background(), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("one")

    for _ in range(2):
        background.start(work())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await background.end()
        assert ["one", "one"] == ended

        background.start(work())
        await asyncio.sleep(0)
        background.cancel()
        await background.finish()
        assert 3 == len(ended)
