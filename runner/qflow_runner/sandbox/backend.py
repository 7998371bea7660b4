"""The one seam to the machine below: what makes a sandbox, and ends it.

A backend starts the agent somewhere with a socket to dial; everything after that is frames. `docker` is the
real one, `process` is for development, `fake` is for tests without either. All three pass one contract suite.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from qflow_agent.usage import VARIABLES
from qflow_runner.layers import Confined, Ended
from qflow_runner.settings import Settings


@dataclass(frozen=True)
class Limits:
    """What one sandbox may use. Memory in MB of 2^20 bytes, CPU in CPUs, the period in milliseconds."""

    memory_mb: int = 512
    cpus: float = 0.5
    cpu_period_ms: float = 20.0
    processes: int = 256
    tmp_mb: int = 64


def sandbox_limits(settings: Settings) -> Limits:
    return Limits(
        memory_mb=settings.memory_mb,
        cpus=settings.cpus,
        cpu_period_ms=settings.cpu_period_ms,
        processes=settings.processes,
        tmp_mb=settings.tmp_mb,
    )


@dataclass(frozen=True)
class SandboxSpec:
    """One sandbox to be started. `socket` is bound and listening before a backend sees it.

    The guest reads `layers` (of all workflows) and `files` (of this sandbox alone), and writes neither.
    """

    id: str
    python: str
    socket: Path
    token: str
    limits: Limits
    layers: Path | None = None
    files: Path | None = None
    hosts: Path | None = None
    """Its /etc/hosts, which grows while it runs, where the backend keeps it from the network."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Health:
    """Whether a part can do its work, and the reason in a sentence. `runtime` is what starts containers, where it is known."""

    ok: bool
    reason: str
    runtime: str = ""


def environment(spec: SandboxSpec, layers: str, files: str) -> dict[str, str]:
    """The environment variables of the agent: where it finds what is shared with it, and how many threads pay off."""
    threads = str(max(1, int(spec.limits.cpus)))
    return {"QFLOW_LAYERS": layers, "QFLOW_FILES": files} | dict.fromkeys(VARIABLES, threads)


class Backend(Protocol):
    """At most a handful of calls, none of which blocks the event loop. Failures are QflowErrors."""

    name: str

    async def open(self) -> None:
        """Called once before the first sandbox: end the jobs that an earlier runner of this identity left behind."""
        ...

    async def left(self, known: Iterable[str]) -> dict[str, bool]:
        """Called after `open`: the sandboxes of an earlier runner of this identity, and whether each still runs.

        `known` are those that the runner wrote down; a backend without labels knows no others.
        """
        ...

    async def boot(self, spec: SandboxSpec) -> None:
        """Called by the keeper for each Boot of the pool: returns when the agent was started, not when it dialled."""
        ...

    async def resize(self, sandbox: str, limits: Limits) -> None:
        """Give a running sandbox this much memory and CPU time. It only ever grows, and what runs in it runs on."""
        ...

    async def remove(self, sandbox: str) -> None:
        """Called by the keeper, off the path of a run: end it and all in it. Quiet when it is gone already."""
        ...

    async def explain(self, sandbox: str) -> str:
        """Called when a sandbox died or did not dial: what is known of why, as one line; empty if nothing."""
        ...

    async def compile(self, python: str, directory: Path, listed: Path) -> None:
        """Byte-compile the `listed` files of a directory that strangers filled, with this Python, where that can do no harm."""
        ...

    async def confine(self, job: Confined) -> Ended:
        """Run a stranger's program behind a boundary. Raises SourceRefused where there is none."""
        ...

    async def health(self) -> Health:
        """Called for /readyz."""
        ...

    async def close(self) -> None:
        """Called once after the last sandbox was removed."""
        ...
