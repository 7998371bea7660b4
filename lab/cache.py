"""Where the scripts have put the real parts, and how to have them put there."""

import asyncio
import os
from pathlib import Path

from lab.errors import LabError

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"


def _versions() -> dict[str, str]:
    lines = (SCRIPTS / "versions.env").read_text().splitlines()
    pinned = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    # `make e2e N8N=x.y.z`; scripts/lib.sh has the same rule.
    return pinned | {"N8N_VERSION": os.environ.get("N8N") or pinned["N8N_VERSION"]}


VERSIONS = _versions()


def cache_dir() -> Path:
    """The directory that the scripts keep downloads in; the same rule as `cache_dir` in scripts/lib.sh."""
    named = os.environ.get("QFLOW_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qflow"


def node_home() -> Path:
    """The pinned Node.js: `bin` in it goes first on PATH."""
    return cache_dir() / "node" / VERSIONS["NODE_VERSION"]


def n8n_home(version: str | None = None) -> Path:
    """An installation of n8n, made by scripts/n8n.sh."""
    return cache_dir() / "n8n" / (version or VERSIONS["N8N_VERSION"])


async def run_script(name: str) -> None:
    """Run a script of ours to its end; its progress goes to our streams. LabError when it fails."""
    await run_program(SCRIPTS / name)


async def run_program(program: Path, *arguments: str) -> None:
    """Run a program from the project's folder to its end. LabError when it fails, or is not there."""
    shown = " ".join([program.name, *arguments])
    try:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise LabError(f"{program} is not there") from None
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if status:
        raise LabError(f"{shown} ended with status {status}; what it said is above")
