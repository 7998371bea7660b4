"""What the cases of this folder ask of a runner again and again."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.runner import RunnerClient

GOOD = "def good(n: int) -> int:\n    return n * 7\n"


async def works(runner: RunnerClient, number: int = 6, **place: str) -> dict[str, Any]:
    """A run gives what it must. Its reply."""
    status, reply = await runner.run(GOOD, [{"n": number}], **place)
    assert 200 == status, reply
    assert [{"value": number * 7}] == [item["json"] for item in reply["items"]]
    return reply


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.05)  # asked from outside, which no event reaches


async def recorded(runner: RunnerClient, run: str) -> bool:
    return 200 == (await runner.call("GET", f"/v1/runs/{run}"))[0]


async def all_recorded(runner: RunnerClient, runs: list[str], seconds: float = 20) -> None:
    """Each is in the store, and none twice."""
    for each in runs:
        await until(lambda run=each: recorded(runner, run), seconds)
    _, page = await runner.call("GET", "/v1/runs", params={"limit": "200"})
    listed = [row["id"] for row in page["runs"]]
    assert len(listed) == len(set(listed))
    assert set(runs[-50:]) <= set(listed)


def fill(place: Path, left: int = 0) -> Path:
    """Write until nothing more fits, and give back so many bytes."""
    path = place / "ballast"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
        file.truncate(max(os.fstat(file.fileno()).st_size - left, 0))
    return path
