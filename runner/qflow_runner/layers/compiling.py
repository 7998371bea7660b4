"""Byte-compiling files of a directory. A compiler reads files that strangers wrote, so it runs in a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from uv import find_uv_bin

from qflow_runner.errors import BuildFailed, BuildTimeout

DEADLINE_S = 300

PROGRAM = """
import os, py_compile, resource, sys

# A source can be made to take all memory of the one that compiles it.
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

def size(name):
    try:
        return os.path.getsize(os.path.join(top, name))
    except OSError:
        return 0

def work(names):
    bad = 0
    for name in names:
        file = os.path.join(top, name)
        try:
            py_compile.compile(
                file, dfile=name, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )
        except (py_compile.PyCompileError, OSError, ValueError, RecursionError, MemoryError, OverflowError):
            bad = 1
    return bad

top, listed, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(listed, encoding="utf-8") as file:
    names = file.read().split("\\0")
names.sort(key=size, reverse=True)
children = []
for at in range(count):
    child = os.fork()
    if not child:
        status = 2
        try:
            status = work(names[at::count])
        finally:
            os._exit(status)
    children.append(child)
worst = 0
for child in children:
    status = os.waitpid(child, 0)[1]
    worst = max(worst, os.WEXITSTATUS(status) if os.WIFEXITED(status) else 3)
sys.exit(worst)
"""
"""Runs on every Python from 3.8, standard library alone.

The byte code is not bound to its source's time (PEP 552, unchecked): a layer never changes, and may be copied. It names
its source as the directory has it: the import puts the whole path in its place.
Exit status 1: some files are no code of that Python, as templates; their packages work.
"""


def write_list(path: Path, names: Sequence[str]) -> None:
    """The files that a compilation is to take, by their paths within the directory."""
    path.write_text("\0".join(names), encoding="utf-8")


def compile_command(interpreter: str, directory: str, listed: str, processes: int) -> list[str]:
    return [interpreter, "-I", "-X", "utf8", "-c", PROGRAM, directory, listed, str(processes)]


async def compile_here(python: str, directory: Path, listed: Path) -> None:
    """With an interpreter of this machine. Raises BuildFailed when there is none, or when it failed."""
    interpreter = await find_interpreter(python)
    if interpreter is None:
        raise BuildFailed(f"There is no Python {python} on this machine to compile with.")
    command = compile_command(interpreter, str(directory), str(listed), os.cpu_count() or 1)
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
