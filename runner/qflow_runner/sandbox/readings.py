"""What a process and all below it use, read from /proc of the runner's machine, where code cannot reach.

A session's process is known by the socket's credentials, which the kernel fills in. Where the runner does not see the
guest's processes (it is in a container of its own, or the guest has a kernel of its own), there is nothing to read.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MOST = 1_024
"""Processes that one look takes in; a sandbox has no more."""

SHARED_OUT = 32
"""So many processes are measured by their share of what they have in common, which is slow; more by what each maps."""

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """One look at a session's processes. Memory and I/O in bytes, CPU in seconds since each began."""

    memory: int = 0
    peak: int = 0
    cpu_s: float = 0.0
    read: int = 0
    written: int = 0
    processes: int = 0
    """With their threads, as the kernel counts them."""


def cpu_clock(pid: int) -> float | None:
    """Seconds of CPU of a process and its threads, without its children; None when it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)
    except OSError:
        return None


def tree(pid: int) -> list[int]:
    """The process, and those below it. One that was adopted by another process is not found."""
    found, at = [pid], 0
    while at < len(found) and len(found) < MOST:
        with suppress(OSError, ValueError):
            for task in os.listdir(f"/proc/{found[at]}/task"):  # noqa: PTH208 - names alone
                children = Path(f"/proc/{found[at]}/task/{task}/children").read_bytes()
                found += map(int, children.split())
        at += 1
    return found[:MOST]


def look(pid: int, others: Sequence[int] = ()) -> Sample | None:
    """What the process and those below it use, and `others`; None when it is gone. Blocks for up to some milliseconds."""
    pids = list(dict.fromkeys((*tree(pid), *others)))
    memory = peak = read = written = processes = 0
    cpu_s = 0.0
    shared_out = 1 < len(pids) <= SHARED_OUT
    for each in pids:
        try:
            status = dict(
                line.split(b":", 1) for line in Path(f"/proc/{each}/status").read_bytes().splitlines()
            )
            times = Path(f"/proc/{each}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            if each == pid:
                return None
            continue
        own = _kilobytes(status.get(b"VmRSS")) + _kilobytes(status.get(b"VmSwap"))
        if each == pid:
            peak = _kilobytes(status.get(b"VmHWM"))
        memory += (_share(each) or own) if shared_out else own
        processes += int(status.get(b"Threads", b"1"))
        clock = cpu_clock(each)
        waited_for = (int(times[13]) + int(times[14])) * TICK_S
        cpu_s += (0.0 if clock is None else clock) + waited_for
        for name, count in _io(each).items():
            if name == b"rchar":
                read += count
            elif name == b"wchar":
                written += count
    return Sample(memory, max(memory, peak), cpu_s, read, written, processes)


def reset_peak(pid: int) -> None:
    """Let the peak count from now on, where the runner may."""
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_bytes(b"5")


def _share(pid: int) -> int:
    """Its proportional set: what it has alone, and its part of what it shares."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return _kilobytes(line[4:])
    return 0


def _io(pid: int) -> dict[bytes, int]:
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/io").read_bytes().splitlines()
        return {name: int(count) for name, _, count in (line.partition(b": ") for line in lines)}
    return {}


def _kilobytes(value: bytes | None) -> int:
    return int(value.split()[0]) << 10 if value else 0
