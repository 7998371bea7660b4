"""What a run used and may use, as far as its own process can say and do: the runner looks and holds from outside."""

import os
import resource
from typing import Dict, NamedTuple

from qflow_agent import wire

VARIABLES = (
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What numeric libraries read when they are imported; without it each takes as many threads as the host has CPUs."""

_SETTERS = (
    "openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "scipy_openblas_set_num_threads64_",
    "MKL_Set_Num_Threads",
    "omp_set_num_threads",
)
"""What those call that were imported before the number was known."""

_LIBRARIES = ("openblas", "mkl_rt", "libgomp", "libomp")


class Mark(NamedTuple):
    """How much had been used when a run began."""

    cpu_s: float


def mark() -> Mark:
    return Mark(_cpu_seconds())


def since(began: Mark, items_in: int) -> Dict[str, float]:
    """As wire.Done has it. Workers that ended count as well; the peak is the largest of this and all of them."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "cpu_ms": (_cpu_seconds() - began.cpu_s) * 1000,
        "peak_mb": peak / 1024,
        "items_in": items_in,
    }


def _cpu_seconds() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total


class Limits:
    """The limits of the run that this session has. What a run does not name is as it was at the start."""

    def __init__(self) -> None:
        self._file_mb = 0
        self._threads = 0
        self._first = {name: os.environ.get(name, "") for name in VARIABLES}

    def apply(self, run: wire.Run) -> None:
        if run.file_mb != self._file_mb:
            self._file_mb = run.file_mb
            _limit_files(run.file_mb)
        if run.threads != self._threads:
            self._threads = run.threads
            count = run.threads or int(self._first["OMP_NUM_THREADS"] or 0)
            for name, first in self._first.items():
                if run.threads or first:
                    os.environ[name] = str(run.threads or first)
                else:
                    os.environ.pop(name, None)
            if count:
                _tell_libraries(count)


def _limit_files(megabytes: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    size = megabytes << 20 if megabytes else hard
    if hard != resource.RLIM_INFINITY:
        size = min(size, hard)  # the runner has set it already
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def _tell_libraries(count: int) -> None:
    import ctypes

    for path in _loaded():
        library = ctypes.CDLL(path)
        for name in _SETTERS:
            setter = getattr(library, name, None)
            if setter is not None:
                setter(count)


def _loaded() -> "list[str]":
    """The numeric libraries in this process."""
    found = {}
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line[line.find("/") :].rstrip("\n") if "/" in line else ""
            if any(part in os.path.basename(path) for part in _LIBRARIES):
                found[path] = None
    return list(found)
