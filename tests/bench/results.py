"""Figures, the table that people read, and the file that machines read."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """One figure. `value` is what is held against the goal; `ratio` is value ÷ baseline where a peer ran beside us."""

    name: str
    value: float
    unit: str
    n: int
    p50: float | None = None
    p95: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    goal: str = ""
    note: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def latency(name: str, values: Sequence[float], goal: str = "", note: str = "") -> Result:
    """Times in ms: the median is the value."""
    p50, p95 = statistics.median(values), percentile(values, 0.95)
    return Result(name, round(p50, 3), "ms", len(values), round(p50, 3), round(p95, 3), goal=goal, note=note)


def against(name: str, ours: float, theirs: float, n: int, goal: str = "", note: str = "") -> Result:
    """Our cost beside a peer's, both in ms: the ratio is what counts."""
    ratio = round(ours / theirs, 3) if theirs > 0 else None
    return Result(name, round(ours, 2), "ms", n, baseline=round(theirs, 2), ratio=ratio, goal=goal, note=note)


def machine() -> dict[str, Any]:
    return {"system": platform.platform(), "python": platform.python_version(), "cpus": os.cpu_count()}


def write(path: Path, results: Sequence[Result], limits: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"machine": machine() | {"limits": limits}, "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(body, indent=2) + "\n")


def show(results: Sequence[Result]) -> None:
    table = Table("Name", "Value", "p95", "Beside it", "Ratio", "Goal", "n", "Note")
    for row in results:
        table.add_row(
            row.name,
            f"{row.value:g} {row.unit}",
            "" if row.p95 is None else f"{row.p95:g}",
            "" if row.baseline is None else f"{row.baseline:g}",
            "" if row.ratio is None else f"{row.ratio:g}",
            row.goal,
            str(row.n),
            row.note,
        )
    Console(width=150).print(table)
