"""A runner that has been up for long is no larger than one that was started: nothing in it only grows."""

import asyncio
import gc
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import RunnerClient, running

CODE = "def f():\n    ...\n"
CONTAINERS = (dict, list, set, deque, OrderedDict, WeakKeyDictionary, Counter)
BOUNDED_ELSEWHERE = {
    "FakeBackend.booted",  # of the tests
    "Packages._begun",  # 10,000 executions
    "Packages._seen",  # 10,000 workflows
    "StoredDefinitions._written",  # 20,000 ids
}
"""Memories with a bound that this test does not reach; what they hold is small."""


async def test_three_thousand_executions_leave_nothing(tmp_path: Path) -> None:
    """Neither entries, nor tasks, nor open files: all that is there is of what is running."""
    async with running(FakeBackend(), tmp_path, pool_floor=0, pool_ceiling=4) as runner:
        definition = await runner.define(CODE)
        await rounds(runner, definition, range(300))
        before, tasks, files = await settled(runner)
        await rounds(runner, definition, range(300, 3300))
        after, tasks_after, files_after = await settled(runner)

    grown = {
        name: (before.get(name, 0), size) for name, size in after.items() if size > before.get(name, 0) + 100
    }
    assert {} == {name: sizes for name, sizes in grown.items() if name not in BOUNDED_ELSEWHERE}
    assert {"Keeper.guests", "Sessions._spots", "Values._gone", "Zygote.sessions"} <= after.keys()
    assert tasks_after <= tasks + 5
    assert files_after <= files + 10


async def rounds(runner: RunnerClient, definition: str, numbers: range) -> None:
    async def one(number: int) -> None:
        where = f"workflow=w{number % 6}&execution=e{number}&node=n{number % 50}"
        # Some are busy, because there are more workflows than places; they are counted like all others.
        status, _ = await runner.call(
            "POST", f"/v1/definitions/{definition}/runs?{where}", json={"items": [{"json": {"n": number}}]}
        )
        assert status in {200, 503}
        await runner.call("DELETE", f"/v1/executions/e{number}/session")

    for start in range(numbers.start, numbers.stop, 10):
        await asyncio.gather(*map(one, range(start, start + 10)))


async def settled(runner: RunnerClient) -> tuple[dict[str, int], int, int]:
    """Sizes of the runner's containers, its tasks, and its open files, once nothing is under way."""
    async with asyncio.timeout(20):
        while runner.state.sessions.total or runner.state.admission.runs:
            await asyncio.sleep(0.05)  # the sandboxes' own reports
    gc.collect()
    return dict(sizes(runner.state)), len(asyncio.all_tasks()), open_files()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def sizes(root: Any) -> Iterator[tuple[str, int]]:
    """Each container that is reached through attributes of the project's own objects; by class and attribute, the largest."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, (type, ModuleType, FunctionType)):
            continue
        seen.add(id(thing))
        if isinstance(thing, CONTAINERS):
            waiting += list(thing.values()) if hasattr(thing, "values") else list(thing)
            waiting += list(thing.keys()) if hasattr(thing, "keys") else []
            continue
        if not type(thing).__module__.startswith("qflow_"):
            continue
        names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
        for name in names:
            value = getattr(thing, name, None)
            if isinstance(value, CONTAINERS):
                key = f"{type(thing).__name__}.{name}"
                found[key] = max(found[key], len(value))
            waiting.append(value)
    yield from found.items()
