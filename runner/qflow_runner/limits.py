"""What a node may ask of its sandbox, and how much of it the instance allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

from qflow_runner.errors import LimitTooHigh
from qflow_runner.settings import Settings

LOG_KB = 1_000
"""What is kept of a run's output where the node says nothing, and at most."""


class LimitsRequest(BaseModel):
    """The limits that a definition may name. 0 is none of its own: what its sandbox has."""

    memory_mb: Annotated[
        int,
        Field(ge=0, description="Memory of the session, in MB of 2^20 bytes, at least 64; 0: its sandbox's"),
    ] = 0
    cpus: Annotated[float, Field(ge=0, description="CPUs of the session, such as 0.5; 0: its sandbox's")] = 0
    processes: Annotated[
        int, Field(ge=0, description="Processes and threads of the session, at least 4; 0: its sandbox's")
    ] = 0
    file_mb: Annotated[
        int,
        Field(ge=0, description="The largest file that the code may write, in MB; 0: what its /tmp holds"),
    ] = 0
    output_mb: Annotated[
        int, Field(ge=0, description="The largest result, as JSON, in MB; 0: the runner's limit")
    ] = 0
    log_kb: Annotated[
        int, Field(ge=0, le=LOG_KB, description="Thousands of characters of output that are kept; 0: 1,000")
    ] = 0


@dataclass(frozen=True)
class Asked:
    """What one definition asks for; 0 where it names nothing."""

    memory_mb: int = 0
    cpus: float = 0.0
    processes: int = 0
    file_mb: int = 0
    output_mb: int = 0
    log_kb: int = 0


@dataclass(frozen=True)
class _Bound:
    words: str
    unit: str
    least: float
    setting: str
    """The name, as a person sets it."""


_BOUNDS = {
    "memory_mb": _Bound("A memory limit", "MB", 64, "QFLOW_MEMORY_MAX_MB"),
    "cpus": _Bound("A CPU limit", "CPUs", 0.05, "QFLOW_CPUS_MAX"),
    "processes": _Bound("A limit of processes", "", 4, "QFLOW_PROCESSES"),
    "file_mb": _Bound("A file size limit", "MB", 1, "QFLOW_TMP_MB"),
    "output_mb": _Bound("A result limit", "MB", 1, "QFLOW_MAX_BODY_MB"),
    "log_kb": _Bound("An output limit", "thousand characters", 1, ""),
}


def named(asked: LimitsRequest, settings: Settings) -> dict[str, Any]:
    """The limits that it names, and no others, so that a definition without any keeps its hash. Raises LimitTooHigh."""
    most = {
        "memory_mb": settings.memory_ceiling_mb,
        "cpus": settings.cpus_ceiling,
        "processes": settings.processes,
        "file_mb": settings.tmp_mb,
        "output_mb": settings.max_body_mb,
        "log_kb": LOG_KB,
    }
    found: dict[str, Any] = {}
    for name, bound in _BOUNDS.items():
        value = getattr(asked, name)
        if not value:
            continue
        unit = f" {bound.unit}" if bound.unit else ""
        if value > most[name]:
            raise LimitTooHigh(
                f"{bound.words} of {value:g}{unit} is over this runner's maximum of {most[name]:g}{unit}.",
                hint=f"Lower it in the node, or raise {bound.setting}.",
            )
        if value < bound.least:
            raise LimitTooHigh(
                f"{bound.words} of {value:g}{unit} is under the least that code can start with, {bound.least:g}{unit}.",
                hint="Raise it in the node.",
            )
        found[name] = float(value) if name == "cpus" else value
    return found


def asked_in(content: Mapping[str, Any]) -> Asked:
    """The limits among a definition's fields."""
    return Asked(**{name: content[name] for name in _BOUNDS if content.get(name)})
