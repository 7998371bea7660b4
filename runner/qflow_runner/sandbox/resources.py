"""What a run used, as the runner saw it and as the guest says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qflow_runner.observe import metrics
from qflow_runner.sandbox.readings import Sample
from qflow_runner.sandbox.sampler import Sampler, Watched

MB = 1 << 20
CPUS = os.cpu_count() or 1


@dataclass(frozen=True)
class Resources:
    """What one run used. Memory is the most that its session had, in MB of 2^20 bytes."""

    cpu_ms: float = 0.0
    peak_mb: float = 0.0
    read_mb: float = 0.0
    written_mb: float = 0.0
    processes: int = 1

    def document(self) -> dict[str, Any]:
        return dict(vars(self))  # dataclasses.asdict takes ten times as long, for each run


class Held:
    """A run that is being watched."""

    def __init__(self, watched: Watched | None, sampler: Sampler) -> None:
        self._watched = watched
        self._sampler = sampler

    async def resources(self, told: Mapping[str, float], most_ms: float) -> Resources:
        """What it used, when it has ended. `told` is the guest's own word, for runs that were over before a look."""
        watched = self._watched
        if watched is not None:
            self._sampler.discard(
                watched
            )  # a large result may be on its way still, and nothing is to stop it
        told_ms, told_mb = _figure(told.get("cpu_ms")), _figure(told.get("peak_mb"))
        if watched is not None and watched.last is not None:
            used = _used(await self._sampler.look(watched) or watched.last)
        else:
            own_ms = 0.0 if watched is None else watched.cpu_s() * 1000
            cpu_ms = min(max(own_ms, told_ms), most_ms * CPUS)
            used = Resources(round(cpu_ms, 3), round(told_mb, 1))
        metrics.RUN_CPU_SECONDS.observe(used.cpu_ms / 1000)
        metrics.RUN_PEAK_BYTES.observe(used.peak_mb * MB)
        return used


def reading(sample: Sample) -> dict[str, Any]:
    return {**_used(sample).document(), "memory_mb": round(sample.memory / MB, 1)}


def _used(sample: Sample) -> Resources:
    return Resources(
        round(sample.cpu_s * 1000, 3),
        round(sample.peak / MB, 1),
        round(sample.read / MB, 3),
        round(sample.written / MB, 3),
        sample.processes,
    )


def _figure(value: object) -> float:
    # The guest's own word: shown, and trusted for nothing.
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0.0
