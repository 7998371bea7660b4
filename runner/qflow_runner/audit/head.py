"""The end of the chain as this machine knows it, signed, and kept apart from the database.

Who can write to the database alone can cut rows off its end and mend the rest. The end that is kept here tells.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from qflow_runner.keys import Keys
from qflow_runner.store import ChainEnd

PURPOSE = "audit head"
PRUNED = "audit pruned"


class HeadDamaged(Exception):
    """The file is none, or none of the keys signed it."""


def keep(path: Path, keys: Keys, end: ChainEnd) -> None:
    """Blocks. An end that is further on stays: a command may have written beside the runner. Raises OSError."""
    with _locked(path):
        try:
            known = kept(path, keys)
        except HeadDamaged:
            known = None
        if known is not None and known.seq >= end.seq:
            return
        signature = keys.sign(signed_text(end), PURPOSE)
        part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"seq": end.seq, "hash": end.hash, "mac": signature}, file)
            file.flush()
            os.fsync(descriptor)
        part.rename(path)


def kept(path: Path, keys: Keys) -> ChainEnd | None:
    """None where there is none. Blocks. Raises HeadDamaged and OSError."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
        end, signature = ChainEnd(int(found["seq"]), str(found["hash"])), str(found["mac"])
    except (ValueError, KeyError, TypeError):
        raise HeadDamaged(f"{path} cannot be read") from None
    if not keys.signed(signed_text(end), PURPOSE, signature):
        raise HeadDamaged(f"{path} was altered, or signed with a key that is gone")
    return end


def signed_text(end: ChainEnd) -> bytes:
    return f"{end.seq}:{end.hash}".encode()


@contextmanager
def _locked(path: Path) -> Generator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
