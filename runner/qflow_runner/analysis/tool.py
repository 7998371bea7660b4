"""Runs a program on code within limits of time and memory."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import sysconfig
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

MEMORY = 2 << 30
MAX_OUTPUT = 16 << 20


class ToolFailed(Exception):
    """The program is missing, was late, or ended by a signal; the message says which."""


async def run(
    name: str, arguments: list[str], *, deadline: float, stdin: bytes = b"", cwd: Path | None = None
) -> bytes:
    """What the program writes to its standard output. Raises ToolFailed."""
    program = find(name)
    try:
        process = await asyncio.create_subprocess_exec(
            *(program, *arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"},
        )
    except OSError as error:
        raise ToolFailed(f"{name} does not start: {error.strerror}") from None
    try:
        _limit(process.pid)
        async with asyncio.timeout_at(deadline):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        raise ToolFailed(f"{name} took too long") from None
    finally:
        if process.returncode is None:
            kill(process)
            await process.wait()
    if process.returncode is None or process.returncode < 0:
        raise ToolFailed(f"{name} broke down over this code")
    if process.returncode > 1:  # 1 says that there are findings
        raise ToolFailed(f"{name} could not do it (exit status {process.returncode})")
    return output


def find(name: str) -> str:
    """Beside the interpreter first: that is where the runner's own dependencies put it. Raises ToolFailed."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if found is None:
        raise ToolFailed(f"{name} is not installed")
    return found


def kill(process: Process) -> None:
    """Unlike its own kill(), this leaves it to asyncio to find out how the process ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


def _limit(pid: int) -> None:
    if hasattr(resource, "prlimit"):  # Linux alone
        try:
            resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        except ProcessLookupError:
            return  # it has ended already
