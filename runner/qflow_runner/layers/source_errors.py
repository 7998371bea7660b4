"""Why a build did not end well, as a sentence. What the container printed is a stranger's, and only shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from qflow_agent import building
from qflow_runner.errors import (
    BuildTimeout,
    DependencyError,
    HashMismatch,
    LayerDiskFull,
    SourceBuildFailed,
    SourceHostRefused,
    SourceMemory,
)
from qflow_runner.layers.explain import explain
from qflow_runner.layers.index_proxy import IndexProxy
from qflow_runner.layers.lines import shown
from qflow_runner.layers.model import Ended
from qflow_runner.layers.uv import LINE_MAX, Ran, Uv
from qflow_runner.settings import Settings

_BUILD = re.compile(r"Failed to build|[Bb]uild backend|Call to `|Failed to resolve requirements from")
_KILLED = 137
_OWN = {building.NO_SOURCE, building.NO_WHEEL}


_WANTED = re.compile(r"Wheels are required for `([^`]+)`")


def without_wheel(error: DependencyError) -> list[str]:
    """The packages of which uv says that only source distributions would do."""
    said = " ".join(str(error.members.get("uv", "")).split())
    return list(dict.fromkeys(canonicalize_name(name) for name in _WANTED.findall(said)))


@dataclass(frozen=True)
class Attempt:
    """`names`: the person's requirement lines by canonical name of the package."""

    name: str
    python: str
    ended: Ended
    proxy: IndexProxy
    names: Mapping[str, str]


def explain_build(attempt: Attempt, settings: Settings, uv: Uv) -> DependencyError:
    """`uv` of the error holds the last lines of the build."""
    told = "\n".join(uv.mask(line)[:LINE_MAX] for line in attempt.ended.told.splitlines())
    error = _limit(attempt, settings) or _refused(attempt) or _build(attempt, told, uv)
    if told:
        error.members.setdefault("uv", told)
    return error


def _limit(attempt: Attempt, settings: Settings) -> DependencyError | None:
    what = f"Building {attempt.name} from source"
    if attempt.ended.status is None:
        return BuildTimeout(
            f"{what} took longer than {settings.build_deadline_s:g} s.",
            hint="Ask for a version that comes as a wheel, or raise QFLOW_BUILD_DEADLINE_S.",
        )
    if attempt.ended.out_of_memory or attempt.ended.status == _KILLED:
        return SourceMemory(f"{what} took more than {settings.build_memory_mb} MB of memory.")
    if attempt.proxy.disk_full:
        return LayerDiskFull("The runner's disk is full: what was built could not be kept.")
    if attempt.proxy.too_much:
        return SourceBuildFailed(
            f"{what} moved more than {settings.layer_max_mb} MB.",
            hint="Ask for a version that comes as a wheel, or raise QFLOW_LAYER_MAX_MB.",
        )
    return None


def _refused(attempt: Attempt) -> DependencyError | None:
    if attempt.ended.status == building.WRONG_HASH:
        return HashMismatch(f"The source distribution of {attempt.name} is not the one that its hash names.")
    if attempt.proxy.refused:
        hosts = ", ".join(attempt.proxy.refused)
        return SourceHostRefused(
            f"Building {attempt.name} from source wanted {hosts}, which a build may not reach."
        )
    return None


def _build(attempt: Attempt, told: str, uv: Uv) -> DependencyError:
    status = attempt.ended.status or 0
    began = "source" in attempt.proxy.handed or _BUILD.search(told)
    if status and not began and status not in _OWN:
        return explain(Ran(status, "", told), attempt.names, attempt.python, uv.platform)
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    last = next((shown(line) for line in reversed(lines) if not line.startswith("hint:")), "")
    return SourceBuildFailed(f"{attempt.name} could not be built from source{': ' if last else '.'}{last}")
