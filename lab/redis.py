"""A real Redis server: one process on loopback, that keeps nothing on disk."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

from lab.cache import run_script
from lab.errors import LabError
from lab.processes import POLL_S, Process, free_ports

PROGRAM = "redis-server"


async def install() -> None:
    """Make sure that the server's program is there; at once when it is. LabError when it cannot be had."""
    if shutil.which(PROGRAM) is None:
        await run_script("redis.sh")


class RedisServer:
    """`url` is its address, with the password."""

    def __init__(self, process: Process, port: int, password: str) -> None:
        self.process = process
        self.port = port
        self.password = password

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @classmethod
    async def start(
        cls,
        folder: Path,
        *,
        port: int | None = None,
        password: str = "a-password-of-the-lab",
        memory_mb: int = 128,
        deadline_s: float = 15,
    ) -> "RedisServer":
        """Start one on `port`, or a free one. LabError when it does not answer after `deadline_s` seconds."""
        port = port or free_ports(1)[0]
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "requirepass": password,
            "maxmemory": f"{memory_mb}mb",
            "maxmemory-policy": "allkeys-lru",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        process = await Process.start("redis", [PROGRAM, *arguments], log=folder / "redis.log")
        server = cls(process, port, password)
        try:
            await server._ready(deadline_s)
        except BaseException:
            await process.stop()
            raise
        return server

    async def kill(self) -> None:
        """End it as a crash does, and wait until it is gone."""
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.stop()

    async def stop(self) -> None:
        await self.process.stop()

    async def _ready(self, deadline_s: float) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                while self.process.running:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    except OSError:  # it does not listen yet
                        await asyncio.sleep(POLL_S)
                        continue
                    writer.close()
                    await writer.wait_closed()
                    return
        except TimeoutError:
            raise LabError(
                f"redis did not listen after {deadline_s:.0f} s; the end of its log:\n{self.process.tail()}"
            ) from None
        raise LabError(f"redis ended before it was ready:\n{self.process.tail()}")
