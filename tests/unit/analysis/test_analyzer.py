"""The analyzer as a part of the runner: processes, deadlines, cache."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.analysis import Analyzer, reader, tool

CODE = "def main(order: dict, n=3):\n    return [n]\n"


@pytest.fixture(name="own")
async def _own() -> AsyncIterator[Analyzer]:
    analyzer = Analyzer(workers=1)
    await analyzer.open()
    yield analyzer
    await analyzer.close()


def _workers(analyzer: Analyzer) -> list[int]:
    return [process.pid for process in analyzer._reader._idle]


async def test_same_code_is_analysed_once(own: Analyzer) -> None:
    """The answer for a code and Python is kept, and is the same object for everyone who asks at a time."""
    first, second = await asyncio.gather(own.analyze(CODE), own.analyze(CODE))

    assert first is second
    assert first is await own.analyze(CODE)
    assert first is not await own.analyze(CODE, "3.13")


async def test_kept_answers_are_quick(own: Analyzer) -> None:
    """An answer that is kept costs less than a tenth of a millisecond."""
    await own.analyze(CODE)
    begin = time.perf_counter()
    for _ in range(1_000):
        await own.analyze(CODE)

    assert (time.perf_counter() - begin) / 1_000 < 0.000_1


async def test_who_stops_waiting_stops_nobody_else(own: Analyzer) -> None:
    """A caller that is cancelled does not take the answer from the others."""
    one = asyncio.create_task(own.analyze(CODE))
    two = asyncio.create_task(own.analyze(CODE))
    await asyncio.sleep(0)
    one.cancel()

    assert ["main"] == [function.name for function in (await two).functions]


async def test_dead_worker_is_replaced(own: Analyzer) -> None:
    """A worker that died costs at most one answer, which says so."""
    (before,) = _workers(own)
    os.kill(before, signal.SIGKILL)
    first = await own.analyze(CODE, infer=False)
    again = await own.analyze(CODE + "#", infer=False)

    assert {finding.code for finding in first.findings} <= {"analysis_failed", "untyped"}
    assert ["main"] == [function.name for function in again.functions]
    assert [before] != _workers(own)


async def test_stuck_worker_is_killed_at_the_deadline(own: Analyzer) -> None:
    """A worker that does not answer is killed at its deadline; the code's error says what happened."""
    (before,) = _workers(own)
    os.kill(before, signal.SIGSTOP)
    begin = time.perf_counter()
    analysis = await own.analyze(CODE)

    assert time.perf_counter() - begin < 2
    assert ["analysis_timeout"] == [finding.code for finding in analysis.findings]
    assert ["main"] == [function.name for function in (await own.analyze(CODE + "#")).functions]


async def test_waiting_for_a_turn_ends_in_time(own: Analyzer) -> None:
    """Code that never gets its turn is not blamed: the answer says to try again, and is not kept."""
    (before,) = _workers(own)
    os.kill(before, signal.SIGSTOP)
    stuck = asyncio.create_task(own.analyze(CODE, infer=False))
    await asyncio.sleep(0)
    waiting = await own.analyze(CODE + "#", infer=False)
    await stuck

    assert ["analysis_busy"] == [finding.code for finding in waiting.findings]


async def test_no_process_is_left(own: Analyzer) -> None:
    """After close() there is no worker."""
    (worker,) = _workers(own)
    await own.close()

    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.parametrize(("missing", "code"), [("pyrefly", "types_skipped"), ("ruff", "checks_skipped")])
async def test_without_a_tool(
    own: Analyzer, monkeypatch: pytest.MonkeyPatch, missing: str, code: str
) -> None:
    """Without ruff or pyrefly the rest of the analysis is there, and a note says what was left out."""
    find = tool.find

    def without(name: str) -> str:
        if name == missing:
            raise tool.ToolFailed(f"{name} is not installed")
        return find(name)

    monkeypatch.setattr(tool, "find", without)
    analysis = await own.analyze(CODE)

    notes = {finding.code: finding for finding in analysis.findings}
    assert ["main"] == [function.name for function in analysis.functions]
    assert "info" == notes[code].severity
    assert f"{missing} is not installed" in notes[code].message


@pytest.mark.parametrize("name", ["pyrefly", "ruff"])
async def test_slow_tool_is_left_behind(
    own: Analyzer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """A tool that is late is stopped, and the analysis goes on without it, within its two seconds."""
    find = tool.find
    slow = tmp_path / name
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(tool, "find", lambda wanted: str(slow) if wanted == name else find(wanted))
    begin = time.perf_counter()
    analysis = await own.analyze(CODE)

    assert time.perf_counter() - begin < 2
    assert ["main"] == [function.name for function in analysis.functions]
    assert any("took too long" in finding.message for finding in analysis.findings)


async def test_python_that_a_tool_does_not_know(own: Analyzer) -> None:
    """A check that a tool refuses to make is told, and not taken for one that found nothing."""
    analysis = await own.analyze(CODE, "3.99")

    assert ["main"] == [function.name for function in analysis.functions]
    assert "checks_skipped" in {finding.code for finding in analysis.findings}


async def test_version_that_is_none(own: Analyzer) -> None:
    """A Python that is no version is the caller's mistake."""
    with pytest.raises(ValueError, match="invalid literal"):
        await own.analyze(CODE, "three")


async def test_code_never_runs(own: Analyzer, tmp_path: Path) -> None:
    """Analysis executes nothing of the code."""
    mark = tmp_path / "mark"
    await own.analyze(
        f"open({str(mark)!r}, 'w')\nimport antigravity\ndef f(a=open({str(mark)!r}, 'w')): return a\n"
    )

    assert not mark.exists()


async def test_limits_hold_in_the_worker(own: Analyzer) -> None:
    """The worker may use only so much memory."""
    (worker,) = _workers(own)
    limits = await asyncio.to_thread(Path(f"/proc/{worker}/limits").read_text, "ascii")

    assert any(line.split()[:4] == ["Max", "data", "size", str(768 << 20)] for line in limits.splitlines())
    assert reader.MAX_REPLY
