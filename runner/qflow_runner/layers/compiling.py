"""Byte-compiling a directory. A compiler reads files that strangers wrote, so it runs in a process of its own."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from uv import find_uv_bin

from qflow_runner.errors import BuildFailed, BuildTimeout

DEADLINE_S = 300

PROGRAM = """
import os, py_compile, resource, sys

# A source can be made to take all memory of the one that compiles it.
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

def sources(top):
    for directory, inner, files in os.walk(top):
        inner[:] = [name for name in inner if name not in ("tests", "test", "__pycache__")]
        for name in files:
            if name.endswith(".py"):
                yield os.path.join(directory, name)

def work(files):
    bad = 0
    for file in files:
        try:
            py_compile.compile(file, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        except (py_compile.PyCompileError, ValueError, RecursionError, MemoryError, OverflowError):
            bad = 1
    return bad

top, count = sys.argv[1], int(sys.argv[2])
files = sorted(sources(top), key=os.path.getsize, reverse=True)
children = []
for at in range(count):
    child = os.fork()
    if not child:
        status = 2
        try:
            status = work(files[at::count])
        finally:
            os._exit(status)
    children.append(child)
worst = 0
for child in children:
    status = os.waitpid(child, 0)[1]
    worst = max(worst, os.WEXITSTATUS(status) if os.WIFEXITED(status) else 3)
sys.exit(worst)
"""
"""Runs on every Python from 3.8, standard library alone. Tests that packages bring are left out: nobody imports them.

The byte code is not bound to its source's time (PEP 552, unchecked): a layer never changes, and may be copied.
Exit status 1: some files are no code of that Python, as templates; their packages work.
"""


def compile_command(interpreter: str, directory: str, processes: int) -> list[str]:
    return [interpreter, "-I", "-X", "utf8", "-c", PROGRAM, directory, str(processes)]


async def compile_here(python: str, directory: Path) -> None:
    """With an interpreter of this machine. Raises BuildFailed when there is none, or when it failed."""
    interpreter = await find_interpreter(python)
    if interpreter is None:
        raise BuildFailed(f"There is no Python {python} on this machine to compile with.")
    command = compile_command(interpreter, str(directory), os.cpu_count() or 1)
    status, _ = await _run(command, {"PATH": os.environ.get("PATH", "")}, DEADLINE_S)
    if status not in {0, 1}:
        raise BuildFailed(f"The byte compiler of Python {python} ended with status {status}.")


async def find_interpreter(python: str) -> str | None:
    """The path of an interpreter of that version, this process's own first."""
    if python == "{}.{}".format(*sys.version_info[:2]):
        return sys.executable
    environment = {
        "PATH": os.pathsep.join([*_pyenv(python), os.environ.get("PATH", "")]),
        "HOME": os.environ.get("HOME", ""),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    command = [find_uv_bin(), "python", "find", "--no-project", "--no-config", "--system", python]
    status, told = await _run(command, environment, 30)
    return told.strip().splitlines()[-1] if status == 0 and told.strip() else None


def _pyenv(python: str) -> list[str]:
    """Where pyenv has that version: those that are not switched on are not on PATH."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return [str(prefix / "bin") for prefix in sorted(root.glob(f"versions/{python}.*"), reverse=True)]


async def _run(command: list[str], environment: dict[str, str], deadline_s: float) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(deadline_s):
            told, _ = await process.communicate()
    except TimeoutError:
        raise BuildTimeout(f"{Path(command[0]).name} took longer than {deadline_s:g} s.") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, told.decode(errors="replace")
