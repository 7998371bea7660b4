"""The file in which the runner keeps its keys: one a line, the newest first, readable by its owner alone."""

import fcntl
import os
import secrets
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from cryptography.fernet import Fernet

from qflow_runner.errors import KeyInvalid
from qflow_runner.settings import is_fernet_key

log = structlog.get_logger()


def kept(path: Path) -> list[str]:
    """Empty where there is no file. Raises KeyInvalid and OSError."""
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return []
    found = text.split()
    if not found or not all(map(is_fernet_key, found)):
        raise KeyInvalid(f"{path} holds no key.")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        log.warning(
            "key.readable", path=str(path), hint="chmod 600: others can read what the runner encrypts"
        )
    return found


def made(path: Path) -> list[str]:
    """The keys that are there now: a new one, or those of whoever was quicker."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = _part(path, [Fernet.generate_key().decode()])
    try:
        os.link(part, path)  # never in the place of a key that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        part.unlink()
    _durable(path.parent)
    return kept(path)


def write(path: Path, keys: Sequence[str]) -> None:
    """In place of what is there, at once."""
    _part(path, keys).rename(path)
    _durable(path.parent)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """One change at a time: a key that a second one writes over is lost with all that it encrypted."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name("key.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _part(path: Path, keys: Sequence[str]) -> Path:
    part = path.with_name(f"key.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(descriptor)  # a key that a crash loses takes with it all that was encrypted
    return part


def _durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
