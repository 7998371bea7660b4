"""A package index of the tests' own, and Layers that use it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.layers import Layers, compile_here
from qflow_runner.settings import Settings
from tests.unit.layers.wheels import Index, serving

Make = Callable[..., Awaitable[Layers]]


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Index]:
    async with serving(tmp_path / "index") as running:
        yield running


@pytest.fixture
async def make(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Open Layers on the tests' index, in directories of their own; settings and a `compiler` may be given."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    opened: list[Layers] = []

    async def one(*, compiler: Any = compile_here, **given: Any) -> Layers:
        base: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "cache_dir": tmp_path / "cache",
            "index_url": index.url,
        }
        layers = Layers(Settings(**(base | given)), compiler)
        await layers.open()
        opened.append(layers)
        return layers

    yield one
    for layers in opened:
        await layers.close()


@pytest.fixture
async def layers(make: Make) -> Layers:
    return await make()


def left(directory: Path) -> list[str]:
    """What a layers directory holds beside finished layers."""
    return [
        path.name
        for path in directory.iterdir()
        if path.name != ".state"
        and not (re.fullmatch("[0-9a-f]{32}", path.name) and (path / ".qflow.json").exists())
    ]


async def until(true: Callable[[], bool], deadline_s: float = 20.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.01)
