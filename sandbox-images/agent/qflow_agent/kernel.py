"""What the agent asks of the Linux kernel."""

import os
from typing import List, Optional, Sequence

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
MEMORY = (
    ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)
GROUP = "session-"
PROCESSES = ("/sys/fs/cgroup", "/sys/fs/cgroup/pids")
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def guard_process() -> None:
    """Close this process, and those it forks, to debuggers and /proc readers of the same user; adopt orphans."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def adopt_orphans(*, adopts: bool) -> None:
    """Whether what loses its parent, below this process, becomes its child."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0)


class VictimScore:
    """Whom the kernel ends first when memory runs out: a session, and never the zygote.

    A process may not write its own score once it is guarded, so the file is opened before. What is forked
    inherits the score of that moment.
    """

    SESSION = 500

    def __init__(self) -> None:
        with open("/proc/self/oom_score_adj") as score:
            self._own = int(score.read())
        self._file = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)

    def session(self) -> None:
        """Until `own`, what is forked is a likely victim."""
        os.pwrite(self._file, b"%d" % max(self.SESSION, self._own), 0)

    def own(self) -> None:
        os.pwrite(self._file, b"%d" % self._own, 0)

    def close(self) -> None:
        os.close(self._file)


def own_group() -> str:
    """The group below the container's that the runner put this process in; empty where it did not."""
    try:
        with open("/proc/self/cgroup") as groups:
            for line in groups:
                name = line.rstrip("\n").rpartition("/")[2]
                if name.startswith(GROUP):
                    return name
    except OSError:
        pass
    return ""


def processes_full() -> bool:
    """Whether this sandbox, or this process's group in it, has about as many processes as it may."""
    for base in PROCESSES:
        for directory in {base, os.path.join(base, own_group())}:
            try:
                most, now = (os.path.join(directory, name) for name in ("pids.max", "pids.current"))
                with open(most) as limit, open(now) as used:
                    if int(used.read()) >= int(limit.read()) - 2:
                        return True
            except (OSError, ValueError):
                continue
    return False


def processes_refused() -> int:
    """How often the kernel refused a process to this sandbox and to this process's group in it; 0 where it does not tell."""
    total = 0
    for base in PROCESSES:
        for directory in {base, os.path.join(base, own_group())}:
            total += _counted(os.path.join(directory, "pids.events"), "max") or 0
    return total


def oom_kills() -> Optional[int]:
    """How often the kernel ended a process of this sandbox for want of memory; None where it does not tell.

    Version 1 counts for each group alone, so that those of a session's group come on top.
    """
    group = own_group()
    total = _oom_kills(OOM_COUNTERS)
    if group and total is not None:
        base, name = os.path.split(OOM_COUNTERS[1])
        total += _oom_kills((os.path.join(base, group, name),)) or 0
    return total


def _oom_kills(paths: Sequence[str]) -> Optional[int]:
    for path in paths:
        kills = _counted(path, "oom_kill")
        if kills is not None:
            return kills
    return None


def _counted(path: str, what: str) -> Optional[int]:
    """A number in a file of names and numbers."""
    try:
        with open(path) as counters:
            for line in counters:
                name, _, value = line.partition(" ")
                if name == what:
                    return int(value)
    except (OSError, ValueError):
        pass
    return None


def memory_share() -> float:
    """How much of the sandbox's memory is in use, from 0 to 1, without what the kernel gives back; 0 if it does not tell."""
    for used, most, details in MEMORY:
        try:
            with open(used) as now, open(most) as limit, open(details) as stat:
                limited = limit.read().strip()
                if not limited.isdigit():
                    return 0.0
                cached = 0
                for line in stat:
                    name, _, value = line.partition(" ")
                    if name in ("inactive_file", "total_inactive_file"):
                        cached = int(value)
                return max(0.0, (int(now.read()) - cached) / int(limited))
        except (OSError, ValueError):
            continue
    return 0.0


def children() -> List[int]:
    """The process ids of the direct children, adopted orphans among them."""
    own = os.getpid()
    try:
        with open("/proc/self/task/%d/children" % own) as listed:
            return [int(pid) for pid in listed.read().split()]
    except FileNotFoundError:
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == own]


def _parent(pid: int) -> int:
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0
