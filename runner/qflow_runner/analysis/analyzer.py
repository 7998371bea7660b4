"""Analyses a node's code without running it: a worker reads it, ruff looks for mistakes, pyrefly infers types."""

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

from qflow_runner.analysis.infer import Inferred, Question, infer, wanted
from qflow_runner.analysis.lint import lint
from qflow_runner.analysis.memory import Made, Memory
from qflow_runner.analysis.merge import findings_of, is_lasting, risks_of, with_inferred
from qflow_runner.analysis.model import Analysis, Reading, version_of
from qflow_runner.analysis.reader import Late, Reader
from qflow_runner.analysis.source import Source

MAX_CODE = 1_000_000
"""Characters."""
DEADLINE_S = 1.7
"""For everything; the rest of two seconds is for what lies around it."""
READ_S = 1.4
"""For the worker and ruff, so that a late one leaves time to say so."""
ENTRIES = 4096
MEMORY = 64 << 20
OUTLINES_S = 10.0
"""For an outline, which may stand in line behind those of a large workflow."""
SHORT_S = 10.0
"""How long an answer is kept that is short of something for want of time."""
CHECKERS = 2
"""Runs of pyrefly at a time; each takes a core."""


class Analyzer:
    """One for the runner. `analyze` answers within two seconds, whatever the code, and raises nothing over it."""

    def __init__(self, workers: int = 2) -> None:
        self._reader = Reader(workers)
        self._memory: Memory[Analysis] = Memory(ENTRIES, MEMORY, SHORT_S)
        self._checkers = asyncio.Semaphore(CHECKERS)

    async def open(self) -> None:
        """Called when the runner starts: the first worker becomes warm."""
        await self._reader.open()

    async def close(self) -> None:
        await self._memory.close()
        await self._reader.close()

    async def analyze(
        self, code: str, python: str = "3.12", *, infer: bool = True, packages: Path | None = None
    ) -> Analysis:
        """All that the code says. Raises ValueError for a `python` that is no version.

        `packages` is the directory of the node's packages, which never changes: types are inferred from it.
        """
        version_of(python)
        digest = hashlib.blake2b(code.encode(errors="surrogatepass"), digest_size=16).digest()
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        if not infer:
            return await self._plain(digest, code, python, deadline)
        return await self._memory.get(
            (digest, python, packages or True),
            lambda: self._make(digest, code, python, packages, deadline),
        )

    async def outline(self, code: str, python: str = "3.12") -> Analysis:
        """What the code says itself, in a millisecond or two: nothing is inferred, and of mistakes only those of syntax."""
        version_of(python)
        digest = hashlib.blake2b(code.encode(errors="surrogatepass"), digest_size=16).digest()
        return await self._memory.get((digest, python, "outline"), lambda: self._outline(code, python))

    async def _outline(self, code: str, python: str) -> Made[Analysis]:
        if len(code) > MAX_CODE:
            return await self._read(code, python, 0)
        reading = await self._reading(code, python, asyncio.get_running_loop().time() + OUTLINES_S)
        if reading is None:
            return _busy(Source(code))
        return Made(reading.analysis, _weight(reading.analysis, code), is_lasting(reading.analysis))

    async def _plain(self, digest: bytes, code: str, python: str, deadline: float) -> Analysis:
        return await self._memory.get((digest, python, False), lambda: self._read(code, python, deadline))

    async def _read(self, code: str, python: str, deadline: float) -> Made[Analysis]:
        source = Source(code)
        if len(code) > MAX_CODE:
            message = f"The code has more than {MAX_CODE:,} characters."
            hint = "Data belongs into a file or an input item."
            finding = source.finding("error", "code_too_long", message, 1, 1, hint=hint)
            return Made(Analysis(findings=(finding,)), 1_000)
        deadline -= DEADLINE_S - READ_S
        reading, linted = await asyncio.gather(
            self._reading(code, python, deadline), lint(source, python, deadline)
        )
        if reading is None:
            return _busy(source)
        analysis = replace(
            reading.analysis,
            findings=findings_of(reading, linted, source),
            risks=risks_of(reading, linted, source),
        )
        return Made(analysis, _weight(analysis, code), is_lasting(analysis))

    async def _reading(self, code: str, python: str, deadline: float) -> Reading | None:
        try:
            return await self._reader.read(code, python, deadline)
        except Late:
            return None

    async def _make(
        self, digest: bytes, code: str, python: str, packages: Path | None, deadline: float
    ) -> Made[Analysis]:
        analysis = await self._plain(digest, code, python, deadline)
        asked = [] if analysis.script else wanted(analysis.functions)
        source = Source(code)
        question = Question(source, tuple(asked), python, analysis.scope, packages)
        inferred = await self._infer(question, deadline)
        analysis = with_inferred(analysis, inferred, source)
        return Made(analysis, _weight(analysis, code), is_lasting(analysis))

    async def _infer(self, question: Question, deadline: float) -> Inferred:
        if not question.functions:
            return Inferred()
        try:
            async with asyncio.timeout_at(deadline):
                await self._checkers.acquire()
        except TimeoutError:
            return Inferred(failed="pyrefly had other code to look at")
        try:
            return await infer(question, deadline)
        finally:
            self._checkers.release()


def _busy(source: Source) -> Made[Analysis]:
    message = "The analysis did not get its turn in time."
    finding = source.finding("error", "analysis_busy", message, 1, 1, hint="Try again in a moment.")
    return Made(Analysis(findings=(finding,)), 1_000, lasting=False)


def _weight(analysis: Analysis, code: str) -> int:
    """What an analysis holds is text of the code, some of it twice, and objects around it."""
    return 2_000 + 4 * len(code) + 1_000 * len(analysis.functions)
