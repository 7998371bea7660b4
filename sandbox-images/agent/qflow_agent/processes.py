"""What a zygote does to the processes below it, and to what they leave behind."""

import os
import signal
import sys
import time
from typing import Callable, Container, Dict, Iterable, Set, Tuple

ORPHAN_SECONDS = 2.0
"""How long orphans may keep forking away from their end before the whole sandbox is given up."""
MANY_TASKS = 16
"""Processes and threads from which on a session may be what fills its sandbox."""


def null_stdin() -> None:
    """Sessions inherit an input that is at its end."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, closefd=False)


def remove(home: str) -> None:
    try:
        os.rmdir(home)  # most are empty, and this is ten times quicker than to look
    except OSError:
        import shutil  # with its compression libraries it would make every fork dearer

        shutil.rmtree(home, ignore_errors=True)


def end_group(leader: int) -> None:
    send_signal(os.killpg, leader)


def end_whole_group(leader: int) -> None:
    """Until none of it is left: what is still dying holds places of the process limit that the next run may need."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        try:
            os.waitpid(-leader, 0)
        except ChildProcessError:
            time.sleep(0.001)  # its parent is dying too, and has not handed it over yet: nothing tells when


def end_strays(known: Container[int]) -> bool:
    """End all below this process that is not below a process of `known`. Whether that succeeded in time.

    They are stopped first: what forks while it is being ended would get away.
    """
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline:
        stopped: Set[int] = set()
        while time.monotonic() < deadline:
            fresh = _strays(known) - stopped
            if not fresh:
                break
            for pid in fresh:
                send_signal(os.kill, pid, signal.SIGSTOP)
            stopped |= fresh
        if not stopped:
            return True
        for pid in stopped:
            send_signal(os.kill, pid, signal.SIGKILL)
        _wait_for(stopped, deadline)
    return not _strays(known)


def tasks_below(leaders: Iterable[int]) -> Dict[int, int]:
    """Processes and threads of each of `leaders` and of all below it."""
    counts = dict.fromkeys(leaders, 0)
    seen = _processes(dead=True)  # who was not waited for has a place too
    for pid, (_, threads) in seen.items():
        leader = _first_of(pid, counts, seen)
        if leader in counts:
            counts[leader] += threads
    return counts


def _strays(known: Container[int]) -> Set[int]:
    own = os.getpid()
    seen = _processes()
    return {pid for pid in seen if pid != own and _first_of(pid, known, seen) == own}


def _first_of(pid: int, known: Container[int], seen: Dict[int, Tuple[int, int]]) -> int:
    """The first of `known`, or this process, from `pid` upwards; 0 where there is neither."""
    own = os.getpid()
    for _ in range(len(seen) + 1):
        if pid == own or pid in known:
            return pid
        if pid not in seen:
            return 0
        pid = seen[pid][0]
    return 0


def _processes(dead: bool = False) -> Dict[int, Tuple[int, int]]:
    """Parent and number of threads of every process that lives, and of those that nobody has waited for if `dead`."""
    found: Dict[int, Tuple[int, int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            if dead or fields[0] not in ("Z", "X"):
                found[int(name)] = (int(fields[1]), int(fields[17]))
    return found


def _wait_for(pids: Set[int], deadline: float) -> None:
    """Until they are gone. Those below others become ours when these are gone."""
    left = set(pids)
    while left and time.monotonic() < deadline:
        for pid in list(left):
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    left.discard(pid)
            except ChildProcessError:
                if not os.path.exists("/proc/%d" % pid):
                    left.discard(pid)
        if left:
            time.sleep(0.001)  # they are dying, and nothing tells when


def send_signal(send: Callable[[int, int], None], target: int, number: int = signal.SIGKILL) -> None:
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):
        pass


def exit_status(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
