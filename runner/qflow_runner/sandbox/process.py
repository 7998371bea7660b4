"""Sandboxes as plain processes of this machine: for development, where there is no Docker.

The same agent, but no boundary: the code can read and write whatever the runner's user can. The runner says
so each time it starts one, and /readyz says so too.
"""

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Iterable
from pathlib import Path

import structlog

import qflow_agent
from qflow_runner.errors import SandboxError, SourceRefused
from qflow_runner.layers import Confined, Ended, compile_here
from qflow_runner.sandbox import readings, vendor
from qflow_runner.sandbox.backend import Health, Limits, SandboxSpec, environment

log = structlog.get_logger()

WARNING = "no boundary: code runs as the runner's own user (development only; use the docker backend)"
ERRORS_KEPT = 2_000


class ProcessBackend:
    name = "process"

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._processes: dict[str, Process] = {}
        self._homes: dict[str, Path] = {}
        self._found: dict[str, int] = {}
        """Handles of the processes that another runner started."""

    async def open(self) -> None:
        log.warning("backend.process", warning=WARNING)

    async def left(self, known: Iterable[str]) -> dict[str, bool]:
        """What was written at boot says where each is; a process that has its number by now is another one."""
        for sandbox in known:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                about = json.loads(self._note(sandbox).read_text())
                self._homes[sandbox] = Path(about["home"])
                handle = os.pidfd_open(about["pid"])
                command = Path(f"/proc/{about['pid']}/cmdline").read_bytes()  # noqa: ASYNC240 - memory, not a disk
                if sandbox.encode() in command:
                    self._found[sandbox] = handle
                else:
                    os.close(handle)
        return {sandbox: sandbox in self._found for sandbox in self._homes}

    async def boot(self, spec: SandboxSpec) -> None:
        log.warning("sandbox.unprotected", sandbox=spec.id, warning=WARNING)
        interpreter = find_python(spec.python)
        libraries = await asyncio.to_thread(vendor.cached, spec.python, self._cache)
        home = self._homes[spec.id] = Path(tempfile.mkdtemp(prefix=f"qflow-{spec.id}-"))
        agent = Path(qflow_agent.__file__).parent / "__main__.py"
        errors = os.open(home / "stderr", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._processes[spec.id] = await asyncio.create_subprocess_exec(
                interpreter,
                *("-I", "-X", "utf8", str(agent)),
                *("--socket", str(spec.socket), "--token", spec.token, "--lib", str(libraries)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                cwd=home,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "TMPDIR": str(home),
                    "HOME": str(home),
                    "LANG": "C.UTF-8",
                    **environment(spec, str(spec.layers or ""), str(spec.files or "")),
                },
                start_new_session=True,
                preexec_fn=lambda: _limit(spec.limits),
            )
        finally:
            os.close(errors)
        note = self._note(spec.id)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"pid": self._processes[spec.id].pid, "home": str(home)}))

    async def resize(self, sandbox: str, limits: Limits) -> None:
        """More memory, for what runs and what is forked later. There is no limit of CPU time to raise."""
        process = self._processes.get(sandbox)
        if process is None:
            return
        memory = limits.memory_mb << 20
        for pid in readings.tree(process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_DATA, (memory, memory))

    async def remove(self, sandbox: str) -> None:
        process = self._processes.pop(sandbox, None)
        if process is not None:
            if process.returncode is None:
                # The runner closed the connection, at which the zygote ends its sessions and itself.
                try:
                    async with asyncio.timeout(1.0):
                        await process.wait()
                except TimeoutError:
                    os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        handle = self._found.pop(sandbox, None)
        if handle is not None:
            await _ended(handle)
        self._note(sandbox).unlink(missing_ok=True)
        home = self._homes.pop(sandbox, None)
        if home is not None:
            await asyncio.to_thread(shutil.rmtree, home, True)

    async def explain(self, sandbox: str) -> str:
        home = self._homes.get(sandbox)
        if home is None:
            return ""
        told = (home / "stderr").read_text(errors="replace")[-ERRORS_KEPT:].strip()
        return told.splitlines()[-1] if told else ""

    async def compile(self, python: str, directory: Path, listed: Path) -> None:
        await compile_here(python, directory, listed)

    async def confine(self, job: Confined) -> Ended:
        del job
        raise SourceRefused(
            f"{WARNING.partition(':')[0].capitalize()}: nothing is built from source on the process backend.",
            hint="Use the docker backend, or ask for a version that comes as a wheel.",
        )

    async def health(self) -> Health:
        return Health(True, WARNING)

    async def close(self) -> None:
        for sandbox in list(self._homes):
            await self.remove(sandbox)

    def _note(self, sandbox: str) -> Path:
        return self._cache / "processes" / f"{sandbox}.json"


async def _ended(handle: int) -> None:
    """Wait for a process that is not our child, and end it if it does not end by itself. Closes the handle."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(handle, over.set)
    try:
        async with asyncio.timeout(1.0):
            await over.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def find_python(version: str) -> str:
    """The path of an interpreter of this version on this machine. Raises SandboxError when there is none."""
    if version == "{}.{}".format(*sys.version_info[:2]):
        return sys.executable
    found = vendor.find_python(version)
    if found is None:
        raise SandboxError(
            f"There is no Python {version} on this machine.",
            hint="Install it, choose another Python in the node, or use the docker backend.",
        )
    return found


def _limit(limits: Limits) -> None:
    memory = limits.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
