"""What is kept of one node run, and the id that puts runs in the order of time."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

PROBLEM_TEXT = 16_000
LOGS_TEXT = 64_000
CUT = "… cut here: the record of a run keeps the first {limit} characters."


class RunRow(NamedTuple):
    """One node run. `ended` is in milliseconds since 1970, other times in milliseconds, sizes in bytes, memory in MB of 2^20.

    `outcome` is "ok" or the category of the failure, and `code` the failure's. The fields are the columns of the table.
    """

    id: str
    workflow: str
    execution: str
    node: str
    definition: str
    ended: int
    outcome: str
    code: str
    ms: float
    packages_ms: float = 0.0
    queue_ms: float = 0.0
    sandbox_ms: float = 0.0
    load_ms: float = 0.0
    parse_ms: float = 0.0
    bind_ms: float = 0.0
    code_ms: float = 0.0
    encode_ms: float = 0.0
    items_in: int = 0
    items_out: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    peak_mb: float = 0.0
    cpu_ms: float = 0.0
    cached: bool = False
    python: str = ""
    layer: str = ""


class ExecutionRow(NamedTuple):
    """One execution, as far as runs of it are known. The fields are the columns of the table."""

    execution: str
    workflow: str
    id: str
    started: int
    ended: int
    failed: bool


class DetailsRow(NamedTuple):
    """What a run printed and what it failed with, as JSON texts; empty where it did not."""

    id: str
    problem: str
    logs: str


def now_ms() -> int:
    return int(time.time() * 1000)


def new_run_id(ended: int) -> str:
    """32 hex digits: the milliseconds first, then chance."""
    return f"{ended:012x}{os.urandom(10).hex()}"


def details_of(
    run: str, problem: Mapping[str, Any] | None, logs: Sequence[Mapping[str, str]]
) -> DetailsRow | None:
    """None where there is nothing to keep."""
    if problem is None and not logs:
        return None
    return DetailsRow(run, "" if problem is None else _problem(problem), _logs(logs) if logs else "")


def _problem(problem: Mapping[str, Any]) -> str:
    kept = {
        name: _cut(value, PROBLEM_TEXT) if isinstance(value, str) else value
        for name, value in problem.items()
    }
    return json.dumps(kept)


def _logs(logs: Sequence[Mapping[str, str]]) -> str:
    kept: list[dict[str, str]] = []
    room = LOGS_TEXT
    for each in logs:
        kept.append({"stream": each["stream"], "text": _cut(each["text"], room)})
        room -= len(each["text"])
        if room <= 0:
            break
    return json.dumps(kept)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + CUT.format(limit=limit)
