"""What the agent asks of the Linux kernel."""

import os
from typing import List, Optional

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def guard_process() -> None:
    """Close this process, and those it forks, to debuggers and /proc readers of the same user; adopt orphans."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def prefer_as_oom_victim() -> None:
    """When memory runs out, the kernel is to end this session and not the zygote."""
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")


def oom_kills() -> Optional[int]:
    """How often the kernel ended a process of this sandbox for want of memory; None where it does not tell."""
    for path in OOM_COUNTERS:
        try:
            with open(path) as counters:
                for line in counters:
                    name, _, value = line.partition(" ")
                    if name == "oom_kill":
                        return int(value)
        except OSError:
            continue
    return None


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
