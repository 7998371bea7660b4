"""Workers under supervision: asked in turn, killed at their deadline, replaced when they die."""

import asyncio
import json
import os
import struct
import sys
from asyncio.subprocess import PIPE, Process
from functools import cached_property
from typing import TYPE_CHECKING, cast

from qflow_runner.analysis.model import Analysis, Reading
from qflow_runner.analysis.source import Source
from qflow_runner.analysis.tool import kill

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MAX_REPLY = 64 << 20
BOOT_S = 10.0


class Late(Exception):
    """The deadline passed before a worker was free: nothing is known about the code."""


class Reader:
    """Up to `workers` processes, the first of them warm from open() on."""

    def __init__(self, workers: int = 2) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[Process] = []
        self._busy: set[Process] = set()

    @cached_property
    def _replies(self) -> "TypeAdapter[Reading]":
        # A worker imports this module too, and has no use for pydantic.
        from pydantic import TypeAdapter  # noqa: PLC0415

        return TypeAdapter(Reading)

    async def open(self) -> None:
        self._idle.append(await _boot())
        _ = self._replies

    async def close(self) -> None:
        for process in [*self._idle, *self._busy]:
            await _end(process)
        self._idle.clear()

    async def read(self, code: str, python: str, deadline: float) -> Reading:
        """What a worker reads, or an error finding about code that it cannot read in time. Raises Late."""
        process: Process | None = None
        replied = False
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                try:
                    process = self._idle.pop() if self._idle else await _boot()
                    self._busy.add(process)
                    request = json.dumps({"code": code, "python": python}).encode()
                    reply = await _exchange(process, request)
                    replied = True
                finally:
                    if process is not None:
                        self._busy.discard(process)
                        if replied:
                            self._idle.append(process)
                        else:
                            await _end(process)
        except TimeoutError:
            if process is None:
                raise Late from None
            return _unread(code, "analysis_timeout", "The code takes too long to analyse.")
        except (asyncio.IncompleteReadError, ConnectionError):
            return _unread(code, "analysis_failed", "The code cannot be analysed: it overwhelms the parser.")
        return self._replies.validate_json(reply)


def _unread(code: str, name: str, message: str) -> Reading:
    hint = "Split what is nested deeply or is very long; data belongs into a file or an input item."
    return Reading(
        Analysis(findings=(Source(code[:10_000]).finding("error", name, message, 1, 1, hint=hint),)),
        parsed=False,
    )


async def _boot() -> Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-X", "utf8", "-m", "qflow_runner.analysis.worker"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(os.environ),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(BOOT_S):
            await _receive(process)
    except BaseException:
        await _end(process)
        raise
    return process


async def _exchange(process: Process, request: bytes) -> bytes:
    stdin = cast("asyncio.StreamWriter", process.stdin)
    stdin.write(struct.pack(">I", len(request)) + request)
    await stdin.drain()
    return await _receive(process)


async def _receive(process: Process) -> bytes:
    stdout = cast("asyncio.StreamReader", process.stdout)
    (size,) = struct.unpack(">I", await stdout.readexactly(4))
    if size > MAX_REPLY:
        raise ConnectionError
    return await stdout.readexactly(size)


async def _end(process: Process) -> None:
    if process.returncode is None:
        kill(process)
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
