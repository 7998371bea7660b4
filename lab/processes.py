"""Processes in groups of their own: started with a log, awaited until ready, ended by their id."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from lab.errors import LabError

POLL_S = 0.1
# The kernel asks the program to end when we are gone, even if we were killed and could not end it ourselves.
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")


def port_or_free(wanted: int) -> int:
    """`wanted` if nothing listens there, else any free port."""
    with socket.socket() as probe:
        return free_ports(1)[0] if probe.connect_ex(("127.0.0.1", wanted)) == 0 else wanted


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that are free now; all are held until the last is found, so they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Process:
    """A running program, and everything it starts."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(
        cls,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> "Process":
        """Start `argv` in a session of its own; both output streams go to `log`, `env` is added to ours."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *DIES_WITH_US,
                *argv,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def tail(self, lines: int = 30) -> str:
        """The end of what it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def ready(self, url: str, deadline_s: float) -> None:
        """Wait until `url` answers 200. LabError with the end of the log when it ended first, or never does."""
        last = "nothing answered"
        try:
            async with asyncio.timeout(deadline_s), aiohttp.ClientSession() as http:
                while self.running:
                    try:
                        async with http.get(url) as response:
                            if response.status == 200:
                                return
                            last = f"{response.status} {(await response.text())[:500]}"
                    except aiohttp.ClientConnectionError:
                        pass  # it does not listen yet
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            message = f"{self.name} was not ready after {deadline_s:.0f} s ({url}: {last})"
            raise LabError(f"{message}; the end of its log:\n{self.tail()}") from None
        raise LabError(
            f"{self.name} ended with {self._process.returncode} before it was ready:\n{self.tail()}"
        )

    async def ended(self, deadline_s: float = 15) -> None:
        """Wait until it has ended by itself, and end what it left in its group."""
        async with asyncio.timeout(deadline_s):
            await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def pause(self) -> None:
        """It accepts connections, and answers nothing, until `resume`."""
        self._signal(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(self.pid, signal.SIGCONT)

    async def stop(self, deadline_s: float = 15) -> None:
        """Ask it to end, insist after `deadline_s`, and end what it left in its group. Quiet when it is gone."""
        if self.running:
            self.resume()
            # Only the leader is asked: its children belong to it, and it may need them to end well.
            self._signal(self.pid, signal.SIGTERM)
            try:
                async with asyncio.timeout(deadline_s):
                    await self._process.wait()
            except TimeoutError:
                self._signal(self.pid, signal.SIGKILL)
                await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
