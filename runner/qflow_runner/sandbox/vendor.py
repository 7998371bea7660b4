"""The agent's own libraries for a version of Python, and interpreters of this machine. uv does the work."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

from qflow_runner.errors import Unavailable
from qflow_runner.sandbox.image_files import image_files, lock_file

INSTALL_DEADLINE_S = 300
ASK_DEADLINE_S = 10


def vendor(python: str, target: Path, platform: str | None = None) -> None:
    """Install the locked libraries, wheels only, for that version into the directory `target`.

    `platform` is uv's name of the platform that will run them; the default is this machine's.
    Raises Unavailable when they cannot be had.
    """
    command = [
        *(find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable),
        *("--target", str(target.resolve()), "--python-version", python),
        *("--only-binary", ":all:", "--require-hashes", "--no-deps", "--link-mode", "copy"),
        *(("--python-platform", platform) if platform else ()),
        *("--requirement", str(lock_file(image_files()).resolve())),
    ]
    target.mkdir(parents=True, exist_ok=True)
    # The settings of a project that happens to be in the working directory are not meant for us.
    done = _run(command, INSTALL_DEADLINE_S, cwd=target)
    if done is None or done.returncode:
        told = done.stderr.strip() if done else f"uv took longer than {INSTALL_DEADLINE_S} s"
        raise Unavailable(
            f"The agent's libraries for Python {python} were not installed: {told}",
            hint="They come from the package index that uv is set up for; see that it can be reached.",
        )


def cached(python: str, cache: Path, platform: str | None = None) -> Path:
    """The directory with the libraries of that version, installed on the first call. Safe to call twice at once."""
    lock = hashlib.sha256(lock_file(image_files()).read_bytes()).hexdigest()[:12]
    place = cache / "guest-lib" / f"{python}-{platform or sys.platform}-{lock}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as scratch:
        made = Path(scratch) / "lib"
        vendor(python, made, platform)
        try:
            made.rename(place)
        except OSError:
            # Another process renamed its own first; both hold the same files.
            if not place.is_dir():
                raise
    return place


def find_python(version: str) -> str | None:
    """The newest interpreter of that version on this machine: pyenv's before the one on PATH. None without one."""
    for candidate in [*_pyenv(version), shutil.which(f"python{version}")]:
        # pyenv puts a program on PATH for each version that it has; those not switched on only print an error.
        if candidate is not None and _version(candidate) == version:
            return str(candidate)
    return None


def _pyenv(version: str) -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    patches: list[tuple[int, Path]] = []
    for prefix in root.glob(f"versions/{version}.*"):
        patch = re.fullmatch(re.escape(version) + r"\.(\d+)", prefix.name)
        if patch is not None:
            patches.append((int(patch[1]), prefix / "bin" / f"python{version}"))
    return [path for _, path in sorted(patches, reverse=True)]


def _version(interpreter: Path | str) -> str | None:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = _run([str(interpreter), "-I", "-S", "-c", program], ASK_DEADLINE_S)
    return done.stdout.strip() if done is not None and not done.returncode else None


def _run(
    command: list[str], deadline_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return None
