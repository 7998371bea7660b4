"""Where a layer is while it is built: beside the finished ones, under a name that none of them can have."""

import fcntl
import os
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from qflow_runner.layers import tree
from qflow_runner.layers.threads import in_thread

BUILDING = ".building-"
REMOVING = ".removing-"
STATE = ".state"

_LAYER = re.compile(r"[0-9a-f]{32}")


def is_layer_id(name: str) -> bool:
    return _LAYER.fullmatch(name) is not None


@asynccontextmanager
async def scratch(layers: Path, layer: str) -> AsyncGenerator[Path]:
    """A directory for one build, removed at the end. Its lock, free once its process is gone, tells it from a relic."""
    place = layers / f"{BUILDING}{layer}-{secrets.token_hex(6)}"
    place.mkdir(mode=0o700)
    lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place
    finally:
        try:
            await in_thread(tree.remove, place)
        finally:
            os.close(lock)


def sweep(layers: Path) -> list[str]:
    """Remove what processes that are gone left behind; names of what went."""
    gone: list[str] = []
    for place in list(layers.iterdir()):
        if place.name.startswith(REMOVING) or (
            place.name.startswith(BUILDING) and not _locked(place / "lock")
        ):
            tree.remove(place)
            gone.append(place.name)
    return gone


def put_aside(layers: Path, layer: str) -> Path | None:
    """Take a layer out of sight in one step; the path to remove. None when it is not there."""
    aside = layers / f"{REMOVING}{layer}-{secrets.token_hex(6)}"
    try:
        (layers / layer).rename(aside)
    except FileNotFoundError:
        return None
    return aside


def _locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
