"""A store in a directory of the test's own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.files import Files, Keys, Spill
from qflow_runner.settings import Settings


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Files]:
    async with opened_files(tmp_path) as opened:
        yield opened


@pytest.fixture
async def spill(tmp_path: Path) -> AsyncIterator[Spill]:
    async with opened_spill(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def opened_files(path: Path, *, stalled_s: float = 60, **settings: Any) -> AsyncIterator[Files]:
    files = Files(Settings(data_dir=path, **settings), stalled_s=stalled_s)
    await files.open()
    try:
        yield files
    finally:
        await files.close()


@asynccontextmanager
async def opened_spill(
    path: Path, now: Callable[[], float] | None = None, **settings: Any
) -> AsyncIterator[Spill]:
    table = Settings(data_dir=path, **settings)
    spill = Spill(table, Keys(table), **({"now": now} if now else {}))
    await spill.open()
    try:
        yield spill
    finally:
        await spill.close()


async def put(
    spill: Spill, reference: str, content: bytes, workflow: str = "w", piece: int = 1 << 20
) -> None:
    writer = spill.writer(workflow, reference, {"type": "bytes"})
    for start in range(0, len(content), piece):
        writer.write(content[start : start + piece])
        await writer.drain()
    await writer.finish()


async def get(spill: Spill, reference: str, workflow: str = "w") -> bytes:
    value = await spill.find(workflow, reference)
    assert value is not None
    return b"".join([chunk async for chunk in spill.read(value)])
