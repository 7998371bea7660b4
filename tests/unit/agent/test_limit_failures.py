"""Exceptions that come from a limit of the sandbox, the figures of a run, and what a session is told."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import qflow_agent
from qflow_agent import kernel, limit_failures, usage
from qflow_agent.failures import problem_of
from qflow_agent.limit_failures import limit_met


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EFBIG, "File too large"), "limit_reached"),
        (OSError(errno.ENOSPC, "No space left on device"), "limit_reached"),
        (OSError(errno.EMFILE, "Too many open files"), "limit_reached"),
        (RuntimeError("can't start new thread"), "process_limit"),
    ],
)
def test_limits(error: Exception, code: str) -> None:
    """Each is a matter of policy, with advice."""
    problem = problem_of(error, {})

    assert (code, "policy") == (problem.code, problem.category)
    assert len(problem.hint or "") > 20


@pytest.mark.parametrize(
    "error",
    [
        OSError("no number"),
        OSError("28", "a number as text"),
        OSError(errno.ENOENT, "No such file"),
        BlockingIOError(errno.EAGAIN, "a socket that does not block"),
        RuntimeError("another"),
        RuntimeError(),
        ValueError(errno.EFBIG),
    ],
)
def test_what_is_no_limit(error: Exception) -> None:
    """Other errors stay the code's own."""
    assert limit_met(error) is None


def test_a_refused_process_is_told_by_the_kernels_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though those that filled the limit are gone; and what was refused before is not told again."""
    events = tmp_path / "pids.events"
    monkeypatch.setattr(kernel, "PROCESSES", (str(tmp_path),))
    events.write_text("max 3\n")
    limit_failures.begin()
    error = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    assert limit_met(error) is None
    events.write_text("max 4\n")
    met = limit_met(error)
    assert met is not None
    assert "process_limit" == met[0]
    assert limit_met(error) is None


def test_usage_of_a_run() -> None:
    """CPU time from the mark on, and a peak in megabytes."""
    mark = usage.mark()
    sum(range(2_000_000))
    used = usage.since(mark, 3)

    assert 1 < used["cpu_ms"] < 5_000
    assert 5 < used["peak_mb"] < 4_000
    assert usage.since(usage.mark(), 0)["cpu_ms"] < 50


def test_what_a_session_is_told() -> None:
    """A run's limits hold for that run; the next has what the session began with."""
    program = """
import os, resource
os.environ["OMP_NUM_THREADS"] = "1"
from qflow_agent import usage, wire
limits = usage.Limits()
limits.apply(wire.Run(1, "d", file_mb=2, threads=4))
print(resource.getrlimit(resource.RLIMIT_FSIZE)[0], os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
limits.apply(wire.Run(2, "d"))
print(resource.getrlimit(resource.RLIMIT_FSIZE)[0], os.environ["OMP_NUM_THREADS"])
"""
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(qflow_agent.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert told == [f"{2 << 20} 4 4", f"{resource.getrlimit(resource.RLIMIT_FSIZE)[1]} 1"]
