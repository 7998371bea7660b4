"""Which runs may begin, and who waits for whom."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from qflow_runner.admission import Admission, AdmissionLimits
from qflow_runner.errors import Busy, Unavailable

MB = 1 << 20


def admission(**limits: int) -> Admission:
    table = {"runs": 4, "per_workflow": 4, "waiting": 2000, "waiting_per_workflow": 1500, "bytes": 64 * MB}
    return Admission(AdmissionLimits(**(table | limits)))


class Door:
    """Runs that last until they are told to end, in the order in which they were let in."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.inside: list[str] = []
        self._ends: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    def come(self, workflow: str, *, size: int = 1, wait_s: float = 30) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run(workflow, size, wait_s))
        self.tasks.append(task)
        return task

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def end_oldest(self) -> None:
        self._ends.pop(0).set()
        await self.settled()

    async def end_all(self) -> None:
        while self._ends:
            await self.end_oldest()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _run(self, workflow: str, size: int, wait_s: float) -> None:
        async with self.admission.place(workflow, size, wait_s):
            self.inside.append(workflow)
            end = asyncio.Event()
            self._ends.append(end)
            await end.wait()


async def test_a_thousand_runs_of_one_workflow_do_not_hold_up_another() -> None:
    """Whoever has one run waiting is next, however many of another's came before."""
    door = Door(admission(runs=1))
    for _ in range(1001):
        door.come("many")
    await door.settled()
    door.come("one")
    await door.settled()
    await door.end_oldest()
    await door.end_oldest()

    assert "one" in door.inside[:3]
    await door.end_all()
    assert Counter(many=1001, one=1) == Counter(door.inside)


async def test_workflows_take_turns() -> None:
    """Each gets one place after the other, whatever the length of its line."""
    door = Door(admission(runs=1, per_workflow=1))
    door.come("first")
    await door.settled()
    for workflow in ("a", "a", "a", "b", "b", "c"):
        door.come(workflow)
    await door.settled()
    await door.end_all()

    assert ["first", "a", "b", "c", "a", "b", "a"] == door.inside


async def test_a_workflow_has_so_many_places_and_leaves_the_rest() -> None:
    """Its runs wait although there is room, and another's do not wait behind them."""
    door = Door(admission(runs=4, per_workflow=2))
    for _ in range(5):
        door.come("greedy")
    door.come("other")
    await door.settled()

    assert Counter(greedy=2, other=1) == Counter(door.inside)
    assert 3 == door.admission.waiting
    await door.end_all()


async def test_bodies_are_bounded_and_a_large_one_is_not_overtaken() -> None:
    """What does not fit into memory waits, and small ones that come later wait behind it; one over all comes alone."""
    door = Door(admission(bytes=10 * MB))
    door.come("a", size=6 * MB)
    door.come("b", size=6 * MB)
    door.come("c", size=1)
    await door.settled()
    assert ["a"] == door.inside
    assert 6 * MB == door.admission.bytes

    await door.end_oldest()
    assert ["a", "b", "c"] == door.inside
    await door.end_all()

    door.come("d", size=1 << 40)
    await door.settled()
    assert 10 * MB == door.admission.bytes
    await door.end_all()
    assert (0, 0) == (door.admission.bytes, door.admission.workflows)


async def test_a_full_line_is_told_at_once_when_to_come_back() -> None:
    """The longer the line, the later; another workflow that has room for itself is let in all the same."""
    door = Door(admission(runs=2, per_workflow=1, waiting=3, waiting_per_workflow=2))
    for _ in range(3):
        door.come("a")
    await door.settled()

    with pytest.raises(Busy, match="of this workflow") as full:
        await door.come("a")
    door.come("b")
    await door.settled()
    assert ["a", "b"] == door.inside
    door.come("b")
    await door.settled()
    with pytest.raises(Busy, match="3 runs wait") as fuller:
        await door.come("c")

    assert 1 <= int(full.value.headers["Retry-After"]) <= int(fuller.value.headers["Retry-After"]) <= 60
    await door.end_all()


async def test_waiting_has_a_deadline_and_leaves_nothing_behind() -> None:
    """A run that waited too long, or whose caller hung up, is in nobody's way."""
    door = Door(admission(runs=1))
    door.come("a")
    await door.settled()
    with pytest.raises(Busy, match="in the way"):
        await door.come("b", wait_s=0.01)
    leaving = door.come("c")
    await door.settled()
    leaving.cancel()
    await door.settled()

    assert (1, 0) == (door.admission.runs, door.admission.waiting)
    await door.end_all()
    assert (0, 0) == (door.admission.runs, door.admission.workflows)


async def test_a_runner_that_stops_lets_nobody_in() -> None:
    """Who waits is told at once, who comes as well, and who is inside goes on."""
    door = Door(admission(runs=1))
    running = door.come("a")
    waiting = door.come("b")
    await door.settled()
    door.admission.stop()

    for task in (waiting, door.come("c")):
        with pytest.raises(Unavailable, match="stopping"):
            await task
    assert not running.done()
    await door.end_all()


async def test_every_place_is_given_back() -> None:
    """Under random comings and goings, the numbers return to zero."""
    limited = admission(runs=3, per_workflow=2, waiting=50)

    async def one(number: int) -> None:
        async with AsyncExitStack() as stack:
            place = limited.place(f"w{number % 7}", number, 0.001 * (number % 40))
            try:
                await stack.enter_async_context(place)
            except Busy:
                return
            await asyncio.sleep(0.0001 * (number % 11))

    tasks = [asyncio.create_task(one(number)) for number in range(400)]
    await asyncio.sleep(0.005)
    for task in tasks[::5]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert (0, 0, 0, 0) == (limited.runs, limited.waiting, limited.bytes, limited.workflows)
