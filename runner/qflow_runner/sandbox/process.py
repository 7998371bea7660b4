"""Sandboxes as plain processes of this machine: for development, where there is no Docker.

The same agent, but no boundary: the code can read and write whatever the runner's user can. The runner says
so each time it starts one, and /readyz says so too.
"""

import asyncio
import os
import resource
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from pathlib import Path

import structlog

import qflow_agent
from qflow_runner.errors import SandboxError, SourceRefused
from qflow_runner.layers import Confined, Ended, compile_here
from qflow_runner.sandbox import vendor
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

    async def open(self) -> None:
        log.warning("backend.process", warning=WARNING)

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
        home = self._homes.pop(sandbox, None)
        if home is not None:
            await asyncio.to_thread(shutil.rmtree, home, True)

    async def explain(self, sandbox: str) -> str:
        home = self._homes.get(sandbox)
        if home is None:
            return ""
        told = (home / "stderr").read_text(errors="replace")[-ERRORS_KEPT:].strip()
        return told.splitlines()[-1] if told else ""

    async def compile(self, python: str, directory: Path) -> None:
        await compile_here(python, directory)

    async def confine(self, job: Confined) -> Ended:
        del job
        raise SourceRefused(
            f"{WARNING.partition(':')[0].capitalize()}: nothing is built from source on the process backend.",
            hint="Use the docker backend, or ask for a version that comes as a wheel.",
        )

    async def health(self) -> Health:
        return Health(True, WARNING)

    async def close(self) -> None:
        for sandbox in list(self._processes):
            await self.remove(sandbox)


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
