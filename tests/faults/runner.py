"""`qflow serve` in a process of its own, and a client of it."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from tests.runner import TOKEN, RunnerClient


class RunnerProcess:
    """`log` has its events; `ready_s` is how long it took from its start to its readiness."""

    command = "serve"
    program: tuple[str, ...] = ()

    def __init__(self, backend: str, data_dir: Path, settings: dict[str, Any]) -> None:
        given = {f"QFLOW_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = {
            **os.environ,
            "QFLOW_BACKEND": backend,
            "QFLOW_DATA_DIR": str(data_dir),
            "QFLOW_PORT": "0",
            "QFLOW_TOKEN": TOKEN,
            "QFLOW_LOG_FORMAT": "json",
            "PYTHONFAULTHANDLER": "1",
            **given,
        }
        self.log: list[dict[str, Any]] = []
        self.ready_s = 0.0
        self.client: RunnerClient
        self._http: aiohttp.ClientSession | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    async def start(self, *, ready: bool = True) -> None:
        """Until it is ready, or listens."""
        began = time.monotonic()
        self.log.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *(self.program or ("-m", "qflow_runner", self.command)),
            env=self._environment, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        listening = await self.event("runner.listening")
        await self._hang_up()
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})
        self.client = RunnerClient(listening["address"], self._http, None)
        if ready:
            await self.client.until_ready(60)
        self.ready_s = time.monotonic() - began

    async def event(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The first event of this name, when it comes."""
        async with asyncio.timeout(seconds), self._news:
            while True:
                for event in self.log:
                    if event["event"] == name:
                        return event
                assert not self._reading.done(), self.log[-5:]
                await self._news.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, seconds: float = 60) -> int:
        """Its exit status. Where it does not end in time, the failure has what its threads were at."""
        assert self._process is not None
        try:
            status = await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            self.signal(signal.SIGABRT)
            await self._reading
            said = [each.get("text") or str(each) for each in self.log[-200:]]
            raise AssertionError(f"{self.command} did not end in {seconds} s:\n" + "\n".join(said)) from None
        await self._reading
        return status

    async def kill(self) -> None:
        """As the kernel would, or a person with kill -9."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> None:
        """Whatever was done to it, it handled: no exception that nobody awaited, and no line that is no event."""
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGTERM)
            await self.ended()
        await self._hang_up()
        unhandled = [each for each in self.log if _unhandled(each)]
        assert not unhandled, unhandled

    async def _hang_up(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _read(self) -> None:
        async for line in self._process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "text", "text": line.decode()}
            async with self._news:
                self.log.append(event)
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


def _unhandled(event: dict[str, Any]) -> bool:
    """Celery says as errors what it then mends itself."""
    library = event["event"] == "library" and not event["part"].startswith(("celery", "kombu"))
    return library or event["event"] in ("text", "thread.failed")
