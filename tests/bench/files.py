"""Files through the API, and spilled values: how fast, how much memory, and whether the event loop keeps turning."""

import asyncio
import json
import os
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from qflow_runner.files import Keys, Spill
from qflow_runner.settings import Settings
from tests.bench.results import Result
from tests.runner import TOKEN

MB = 1 << 20
SIZE = 1024
SPILLED = 100
ROUNDS = 5
IDLE_S = 5.0


async def measure(folder: Path) -> list[Result]:
    return [*await _through_the_api(folder / "api"), *await _spilled(folder / "spill")]


async def _through_the_api(folder: Path) -> list[Result]:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.files_server", str(folder), stdin=PIPE, stdout=PIPE
    )
    try:
        address = await _line(server)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers, read_bufsize=4 * MB) as http:
            await _down(http, address, await _up(http, address, 8))
            before = (await _seen(server))["rss"]
            await asyncio.sleep(IDLE_S)
            idle = await _seen(server)
            began = time.perf_counter()
            file = await _up(http, address, SIZE)
            uploaded = time.perf_counter()
            up = await _seen(server)
            again = time.perf_counter()
            await _down(http, address, file)
            downloaded = time.perf_counter()
            down = await _seen(server)
    finally:
        server.terminate()
        await server.wait()
    grown = (max(up["rss"], down["rss"]) - before) / MB
    stall = max(up["stall_ms"], down["stall_ms"])
    return [
        Result("file.up", round(SIZE / (uploaded - began)), "MB/s", 1, note=f"{SIZE} MB over HTTP"),
        Result("file.down", round(SIZE / (downloaded - again)), "MB/s", 1, note=f"{SIZE} MB over HTTP"),
        Result("file.memory", round(grown, 1), "MB", 2, goal="≤ 32", note="growth of the runner, both ways"),
        Result(
            "file.stall",
            round(stall, 1),
            "ms",
            2,
            baseline=round(idle["stall_ms"], 1),
            goal="≤ 20",
            note="longest of the event loop; beside it, the longest while it had nothing to do",
        ),
    ]


async def _spilled(folder: Path) -> list[Result]:
    settings = Settings(data_dir=folder)
    spill = Spill(settings, Keys(settings))
    await spill.open()
    content = os.urandom(MB)
    wrote: list[float] = []
    read: list[float] = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        writer = spill.writer("w", f"r{number}", {})
        for _ in range(SPILLED):
            writer.write(content)
            await writer.drain()
        await writer.finish()
        written = time.perf_counter()
        value = await spill.find("w", f"r{number}")
        assert value is not None
        size = 0
        async for chunk in spill.read(value):
            size += len(chunk)
        assert size == SPILLED * MB
        read.append((time.perf_counter() - written) * 1000)
        wrote.append((written - began) * 1000)
    await spill.close()
    note = f"{SPILLED} MB, encrypted"
    return [
        Result("spill.write", round(statistics.median(wrote)), "ms", ROUNDS, note=note),
        Result("spill.read", round(statistics.median(read)), "ms", ROUNDS, goal="≤ 400", note=note),
    ]


async def _up(http: aiohttp.ClientSession, address: str, megabytes: int) -> str:
    block = os.urandom(MB)

    async def content() -> AsyncIterator[bytes]:
        for _ in range(megabytes):
            yield block

    headers = {"Content-Length": str(megabytes * MB)}
    query = "workflow=w&execution=e"
    async with http.post(f"{address}/v1/files?{query}", data=content(), headers=headers) as response:
        reply = await response.json()
        assert reply["size"] == megabytes * MB
        return reply["file"]


async def _down(http: aiohttp.ClientSession, address: str, file: str) -> None:
    async with http.get(f"{address}/v1/files/{file}?workflow=w") as response:
        announced = response.content_length
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
        assert size == announced


async def _line(server: Process) -> str:
    assert server.stdout is not None
    async with asyncio.timeout(30):
        return (await server.stdout.readline()).decode().strip()


async def _seen(server: Process) -> dict[str, float]:
    assert server.stdin is not None
    server.stdin.write(b"\n")
    return json.loads(await _line(server))
