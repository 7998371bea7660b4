"""What every attack's code begins with: ways to try something and to say what came of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from qflow_runner.attack.model import Case, Check

PRELUDE = '''\
# /// script
# dependencies = []
# ///
import ctypes, errno, os, platform, sys, time

harm = []
told = {}
libc = ctypes.CDLL(None, use_errno=True)
MACHINE = platform.machine()


def refused(what, call):
    """It is harm if this works."""
    try:
        got = call()
    except (Exception, SystemExit) as error:
        told[what] = type(error).__name__ + ": " + str(error)[:120]
        return None
    harm.append(what)
    told[what] = repr(got)[:200]
    return got


def checked(result):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def kernel(x86, arm, *arguments):
    """A system call by its number on this machine; OSError if the kernel refuses."""
    number = {"x86_64": x86, "aarch64": arm}.get(MACHINE)
    if number is None:
        raise OSError(errno.ENOSYS, "no number for " + MACHINE)
    ctypes.set_errno(0)
    return checked(libc.syscall(ctypes.c_long(number), *[
        ctypes.c_long(each) if isinstance(each, int) else each for each in arguments
    ]))


def seen(text):
    """What is looked for in it are the secrets that were planted: the referee reads the whole answer."""
    told.setdefault("seen", []).append(str(text)[:4000])


def end():
    return {"harm": harm, "told": told}

'''


def cases(suite: str, table: Iterable[tuple[str, str]], **common: Any) -> list[Case]:
    """Cases of one suite that differ by their code alone."""
    return [case(suite, name, code, **common) for name, code in table]


def case(
    suite: str,
    name: str,
    code: str,
    *,
    expect: Iterable[str] = ("ok",),
    within_s: float = 10.0,
    options: Mapping[str, Any] | None = None,
    check: Check | None = None,
    harms_itself: bool = False,
    known: str = "",
) -> Case:
    return Case(
        suite,
        name,
        PRELUDE + code.lstrip("\n"),
        frozenset(expect),
        within_s,
        dict(options or {}),
        check,
        harms_itself,
        known,
    )
