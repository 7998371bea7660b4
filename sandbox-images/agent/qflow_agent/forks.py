"""Processes that a session forks for one run: how many, how they begin, and how they and all below them end."""

import os
import resource
import signal
import warnings
from contextlib import contextmanager
from time import monotonic
from typing import Iterator, List, NamedTuple, Optional, Sequence

from qflow_agent import kernel
from qflow_agent.problem import Problem
from qflow_agent.processes import ORPHAN_SECONDS, exit_status, send_signal

_COUNTS = ("/sys/fs/cgroup/pids", "/sys/fs/cgroup/pids/pids")


def allowed(wanted: int) -> int:
    """How many of `wanted` processes the sandbox has room for: half of what is free, the code may need the rest."""
    for path in _COUNTS:
        most, current = _number(path + ".max"), _number(path + ".current")
        if most is not None and current is not None:
            return max(min(wanted, (most - current) // 2), 0)
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft // 2)


def _number(path: str) -> Optional[int]:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None  # no such group, or no limit


def threads() -> int:
    """How many threads this process has, those of C code among them."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def fork() -> int:
    """As os.fork, which warns where threads are running: that stands in a hint when it did harm. Raises OSError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def end(pids: Sequence[int]) -> List[int]:
    """Kill children, and wait for them. How each ended: before that, if it had; negative for a signal."""
    for pid in pids:
        send_signal(os.kill, pid)
    return [_waited(pid) for pid in pids]


def _waited(pid: int) -> int:
    try:
        return exit_status(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 0  # the code lets the system reap its children, or waits for all that there are


def is_dead(pid: int) -> bool:
    """Whether the child has ended. It can be waited for still."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


@contextmanager
def own_orphans() -> Iterator[None]:
    """Within, what children leave behind becomes this process's own; at the end it is ended."""
    before = set(kernel.children())
    kernel.adopt_orphans(adopts=True)
    try:
        yield
    finally:
        deadline = monotonic() + ORPHAN_SECONDS
        while monotonic() < deadline:  # they may fork on: then the zygote finds them with the session's end
            orphans = set(kernel.children()) - before
            if not orphans:
                break
            end(list(orphans))
        kernel.adopt_orphans(adopts=False)


class Death(NamedTuple):
    """How a process came to its end while it worked on items."""

    status: int
    out_of_memory: bool

    def problem(self, number: int) -> Problem:
        """What it means for the item that it was at."""
        if self.out_of_memory and self.status == -signal.SIGKILL:
            return Problem(
                "out_of_memory",
                "The code needed more memory than the sandbox has, and its parallel process was stopped.",
                hint="Lower the number of parallel processes, or free large objects.",
                item=number,
            )
        if self.status < 0:
            return Problem(
                "process_killed",
                "The parallel process that worked on the item was ended by signal %d%s."
                % (-self.status, _signal_name(-self.status)),
                hint="Code in C crashed, another process sent the signal, or the code closed descriptors that are not its own.",
                item=number,
            )
        return Problem(
            "process_exited",
            "The code ended its parallel process with exit status %d." % self.status,
            hint="Return a value, or raise an exception, instead of calling os._exit().",
            item=number,
        )


def _signal_name(number: int) -> str:
    try:
        return " (%s)" % signal.Signals(number).name
    except ValueError:
        return ""
