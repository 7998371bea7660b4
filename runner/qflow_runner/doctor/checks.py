"""One function per part of the host. Each says what there is, and what to do where that is not enough."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uv import find_uv_bin

from qflow_runner.attack import under_attack
from qflow_runner.errors import QflowError
from qflow_runner.sandbox.choose import choose_backend
from qflow_runner.settings import Settings
from qflow_runner.settings.unknown import unknown_settings

ROOM_MB = 2048
"""Free space below which installing packages soon fails."""
SOCKET_PATH_BYTES = 107
UV_S = 20.0
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
MOUNTS = "This is a container: where its Docker is the machine's own, say in QFLOW_DOCKER_MOUNTS which volumes it has and where."
TRIAL = "def trial() -> dict:\n    return {'works': True}\n"

Grade = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What was found of one part. `advice` is what to do; empty where nothing is to be done."""

    part: str
    grade: Grade
    found: str
    advice: str = ""


async def python(settings: Settings) -> Finding:
    del settings
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", f"{version}, {os.cpu_count()} CPUs")


async def settings_given(settings: Settings) -> list[Finding]:
    del settings
    return [
        Finding("settings", "warning", f"{name} is no setting, and has no effect.", advice)
        for name, advice in unknown_settings(os.environ).items()
    ]


async def directories(settings: Settings) -> list[Finding]:
    """The data directory, and those that are set apart from it."""
    apart = {
        "layers": ("QFLOW_LAYERS_DIR", settings.layers_dir),
        "files": ("QFLOW_FILES_DIR", settings.files_path),
        "spilled values": ("QFLOW_SPILL_DIR", settings.spill_path),
    }
    known = {settings.data_dir} if settings.shared_dir is None else {settings.data_dir, settings.shared_dir}
    return [
        _directory("data directory", "QFLOW_DATA_DIR", settings.data_dir),
        *(
            _directory(part, setting, place)
            for part, (setting, place) in apart.items()
            if not any(place.is_relative_to(each) for each in known)
        ),
    ]


def _directory(part: str, setting: str, place: Path) -> Finding:
    nearest = next(each for each in (place, *place.absolute().parents) if each.exists())
    if not nearest.is_dir():
        return Finding(
            part,
            "problem",
            f"{nearest} is not a directory.",
            f"Move it away, or set {setting} to another place.",
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        advice = f"Give the runner's user the right, or set {setting} to another place."
        return Finding(part, "problem", f"{nearest} cannot be written.", advice)
    free = shutil.disk_usage(nearest).free >> 20
    if free < ROOM_MB:
        advice = "Free some space: packages and files of runs are kept there."
        return Finding(part, "warning", f"{place}: {free} MB free.", advice)
    return Finding(part, "ok", f"{place}, {free >> 10} GB free")


async def socket_directory(settings: Settings) -> Finding:
    longest = settings.run_dir / ("x" * 24) / "agent.sock"
    if len(os.fsencode(longest)) > SOCKET_PATH_BYTES:
        return Finding(
            "sockets",
            "problem",
            f"{settings.run_dir} is too long a path for a unix socket.",
            "Set XDG_RUNTIME_DIR to a short path.",
        )
    return Finding("sockets", "ok", str(settings.run_dir))


async def port(settings: Settings) -> Finding:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            advice = "A runner may be running already; otherwise set QFLOW_PORT."
            return Finding("port", "warning", f"{settings.host}:{settings.port}: {error.strerror}.", advice)
    return Finding("port", "ok", f"{settings.host}:{settings.port} is free")


async def sandboxes(settings: Settings) -> Finding:
    backend = choose_backend(settings, "doctor")
    try:
        health = await backend.health()
    finally:
        await backend.close()
    if not health.ok:
        return Finding(
            settings.backend,
            "problem",
            health.reason,
            "Start Docker, and see that this user may use its socket.",
        )
    if settings.backend == "process":
        return Finding(
            "process",
            "warning",
            "Sandboxes are plain processes: there is no boundary.",
            "Use Docker for anything but development.",
        )
    return Finding(settings.backend, "ok", health.reason)


async def installer(settings: Settings) -> Finding:
    del settings
    try:
        uv = find_uv_bin()
    except FileNotFoundError as error:
        return Finding("uv", "problem", str(error), "Install the runner again: uv is one of its packages.")
    asked = await asyncio.create_subprocess_exec(uv, "--version", stdout=asyncio.subprocess.PIPE)
    told, _ = await asyncio.wait_for(asked.communicate(), UV_S)
    return Finding("uv", "ok", told.decode().strip())


async def trial(settings: Settings) -> Finding:
    """A runner of its own, one sandbox, one run."""
    if settings.backend == "process":
        return Finding("trial run", "warning", "Not tried with plain processes.")
    try:
        async with under_attack(settings) as target:
            first = await target.run(TRIAL, workflow="doctor", execution="first", function="trial")
            second = await target.run(TRIAL, workflow="doctor", execution="first", function="trial")
    except QflowError as error:
        return Finding("trial run", "problem", error.detail, _advice(settings, error.hint))
    for answer in (first, second):
        if answer.outcome != "ok":
            told = answer.reply
            return Finding(
                "trial run", "problem", str(told.get("detail")), _advice(settings, told.get("hint"))
            )
    found = f"code runs: {first.seconds * 1000:.0f} ms the first time, {second.seconds * 1000:.1f} ms then"
    return Finding("trial run", "ok", found)


def _advice(settings: Settings, hint: str | None) -> str:
    """In a container what is wrong is mostly that the machine's Docker knows other paths than the runner."""
    mounts = "" if settings.docker_mounts or not any(each.exists() for each in CONTAINER_MARKS) else MOUNTS
    return " ".join(filter(None, (hint, mounts)))


async def cluster(settings: Settings) -> list[Finding]:
    """Nothing where this host is to be no part of one."""
    if settings.engine != "celery":
        return []
    from qflow_runner.engine.cluster.examine import examine_cluster  # noqa: PLC0415 - Celery is optional

    graded = {(True, False): "ok", (True, True): "warning"}
    return [
        Finding(each.part, graded.get((each.ok, bool(each.advice)), "problem"), each.found, each.advice)  # pyright: ignore[reportArgumentType]
        for each in await examine_cluster(settings)
    ]


CHECKS: tuple[Callable[[Settings], Awaitable[Finding | list[Finding]]], ...] = (
    python,
    settings_given,
    directories,
    socket_directory,
    port,
    sandboxes,
    installer,
    trial,
    cluster,
)


async def examine(settings: Settings, told: Callable[[Finding], None]) -> list[Finding]:
    """Every part in turn, each within the deadline of what it asks."""
    findings: list[Finding] = []
    for check in CHECKS:
        found = await check(settings)
        for finding in found if isinstance(found, list) else [found]:
            findings.append(finding)
            told(finding)
    return findings
