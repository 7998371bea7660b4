"""Shuts a session off from the other sessions of its sandbox, with Landlock: files, signals and abstract sockets.

A session reads what all may read, and writes its own directory alone. It cannot be undone, and whatever it starts is
shut off with it. The numbers are those of the kernel's ``linux/landlock.h``.
"""

import ctypes
import os
import struct
from typing import Iterator, Set, Tuple

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_FILE, _MAKE_SOCKET, _MAKE_PIPE, _MAKE_LINK = 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 12
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_SCOPED = 0b11  # abstract sockets and signals, from version 6 on

_SEEN = _EXECUTE | _READ | _LIST
_OWN = (
    _SEEN
    | _WRITE
    | _REMOVE_DIR
    | _REMOVE_FILE
    | _MAKE_DIR
    | _MAKE_FILE
    | _MAKE_SOCKET
    | _MAKE_PIPE
    | _MAKE_LINK
    | _REFER
    | _TRUNCATE
)
_DEVICE = _READ | _WRITE | _IOCTL | _TRUNCATE
# Semaphores and shared memory of the C library have their place there, under names that cannot be listed.
_SHARED = _READ | _WRITE | _MAKE_FILE | _REMOVE_FILE | _TRUNCATE
_DEVICES = (
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "ptmx",
    "pts",
    "fd",
    "stdin",
    "stdout",
    "stderr",
)
_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL

FULL = 6
"""The version of Landlock from which on signals are kept apart too."""


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none, or where it may not be asked."""
    return max(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION), 0)


class Confinement:
    """The rules that all sessions share are looked up once, before the first fork."""

    def __init__(self) -> None:
        self._version = version()
        self._places = [
            (os.open(path, os.O_PATH | os.O_CLOEXEC), rights)
            for path, rights in (_shared_places() if self._version else ())
        ]

    def enter(self, own: str) -> None:
        """From now on this process, and what it starts, has `own` and nothing of other sessions."""
        if not self._version:
            return
        libc = _libc()
        handled = _HANDLED[min(self._version, max(_HANDLED))]
        attributes = struct.pack("=QQQ", handled, 0, _SCOPED if self._version >= FULL else 0)
        size = 8 if self._version < 4 else 16 if self._version < FULL else 24
        rules = _done(libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), 0))
        place = os.open(own, os.O_PATH | os.O_CLOEXEC)
        try:
            for descriptor, rights in self._places + [(place, _OWN)]:
                rule = struct.pack("=Qi", rights & handled, descriptor)
                _done(libc.syscall(_ADD, rules, _PATH_BENEATH, rule, 0))
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            _done(libc.syscall(_RESTRICT, rules, 0))
        finally:
            os.close(place)
            os.close(rules)

    def close(self) -> None:
        for descriptor, _ in self._places:
            os.close(descriptor)
        self._places = []


def _shared_places() -> Iterator[Tuple[str, int]]:
    """Everything but where sessions have their directories, and of the devices those that are harmless."""
    yield from _beside("/", {"/dev", "/tmp", os.path.realpath(os.environ.get("TMPDIR", "/tmp"))})
    for name in _DEVICES:
        path = "/dev/" + name
        if os.path.exists(path) and not os.path.islink(path):
            yield path, _DEVICE | (_LIST if os.path.isdir(path) else 0)
    if os.path.isdir("/dev/shm"):
        yield "/dev/shm", _SHARED


def _beside(top: str, hidden: Set[str]) -> Iterator[Tuple[str, int]]:
    for name in os.listdir(top):
        path = os.path.join(top, name)
        if path in hidden or os.path.islink(path):
            continue
        if any(each.startswith(path + "/") for each in hidden):
            yield from _beside(path, hidden)
        else:
            yield path, _SEEN if os.path.isdir(path) else _EXECUTE | _READ


def _done(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "Landlock: " + os.strerror(number))
    return result


def _libc() -> "ctypes.CDLL":
    return ctypes.CDLL(None, use_errno=True)
