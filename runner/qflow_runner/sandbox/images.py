"""Sandbox images: their names, how they are built, and where their base comes from.

With `docker`, the only module that knows Docker. An image's name holds a hash of all that it is made of, so a
runner never meets an image of another version of the agent: it is there under its name, or it is missing.
"""

import datetime
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import docker
import docker.errors
import requests.exceptions

from qflow_runner import __version__
from qflow_runner.errors import DockerUnavailable, ImageMissing
from qflow_runner.sandbox import base as bases
from qflow_runner.sandbox import vendor
from qflow_runner.sandbox.image_files import cache_dir, content_hash, image_files, sandbox_context

END_OF_LIFE = {
    "3.8": "2024-10",
    "3.9": "2025-10",
    "3.10": "2026-10",
    "3.11": "2027-10",
    "3.12": "2028-10",
    "3.13": "2029-10",
}
"""The month in which a Python gets its last security fix."""

SUPPORTED = tuple(END_OF_LIFE)
SOURCES = ("auto", "pull", "local")

BUILD_DEADLINE_S = 600
"""The longest silence of Docker while it builds, pulls or imports."""

# uv's names for what python:X-slim-bookworm is, by Docker's name of the processor.
PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}

Report = Callable[[str], None]


def image_name(python: str) -> str:
    """The image of this version of Qflow with that Python. The files are read once per process."""
    return f"qflow-sandbox:{python}-{_agent_hash()}"


def base_name(python: str) -> str:
    return f"python:{python}-slim-bookworm"


def support(python: str, today: datetime.date | None = None) -> str:
    """Whether that Python still gets security fixes, as a few words for people."""
    month = END_OF_LIFE[python]
    over = f"{today or datetime.datetime.now(tz=datetime.UTC).date():%Y-%m}" >= month
    return f"end of life since {month}" if over else f"supported until {month}"


def build_images(pythons: Sequence[str], base: str = "auto", report: Report = print) -> list[str]:
    """Make what is missing, and name every image that is there afterwards. Under a second when none is missing.

    `base` says where the base image comes from: `pull` asks the registry, and takes a newer one when there is;
    `local` makes it from Debian's packages and this machine's Pythons; `auto` takes the one at hand, then the
    registry's, then a local one. Of *all* supported versions, one whose base cannot be had is reported and left
    out; a version asked for by itself raises ImageMissing. Raises DockerUnavailable without a daemon.
    """
    _check(pythons, base)
    lenient = set(pythons) == set(SUPPORTED)
    built: list[str] = []
    missing: list[ImageMissing] = []
    with _docker() as client:
        source = BaseSource(client, base, report)
        for python in pythons:
            try:
                built.append(build(python, client, source, report))
            except BaseMissing as error:
                missing.append(error)
                if not lenient:
                    raise
                report(f"Left out: {error.detail}")
    if missing and not built:
        raise missing[0]
    return built


def list_images() -> list[tuple[str, str, str, str]]:
    """For each supported Python: version, image, day it was built (or "not built"), and its support."""
    rows: list[tuple[str, str, str, str]] = []
    with _docker() as client:
        for python in SUPPORTED:
            found = _inspect(client, image_name(python))
            built = str(found["Created"])[:10] if found else "not built"
            rows.append((python, image_name(python), built, support(python)))
    return rows


def build(python: str, client: docker.DockerClient, source: "BaseSource", report: Report) -> str:
    """Make the image of that Python unless it is there, on the base that is there now. Its name."""
    name = image_name(python)
    present = _inspect(client, name)
    # An image that came by `docker load` needs no base.
    if present and source.kind != "pull" and not _inspect(client, base_name(python)):
        return name
    base_id = source.ensure(python)
    if present and present["Config"]["Labels"].get("qflow.base") == base_id:
        return name
    report(f"Building {name} (Python {python}, {support(python)}) …")
    architecture = str(client.version()["Arch"])
    libraries = vendor.cached(python, cache_dir(), PLATFORMS.get(architecture))
    arguments = {"PYTHON": python, "VERSION": __version__, "AGENT": _agent_hash(), "BASE": base_id}
    _build(client, sandbox_context(image_files(), libraries), name, arguments)
    return name


class BaseMissing(ImageMissing):
    """The public Python image is not here, and could not be had in the way that was asked for."""

    hint = "Make one without a registry: `qflow images build --base local`; or `docker load` it."


class BaseSource:
    """Where python:X-slim-bookworm comes from. A registry that could not be reached is asked only once."""

    def __init__(self, client: docker.DockerClient, kind: str, report: Report) -> None:
        self.kind = kind
        self._client = client
        self._report = report
        self._refusal = ""

    def ensure(self, python: str) -> str:
        """The id of the base image of that Python, which is here afterwards. Raises BaseMissing."""
        name = base_name(python)
        present = _inspect(self._client, name)
        if present and self.kind != "pull":
            return str(present["Id"])
        pulled = self.kind != "local" and self._pull(name)
        made = not pulled and self.kind != "pull" and self._make(python)
        if not (pulled or made):
            raise BaseMissing(self._why(python))
        now = _inspect(self._client, name)
        if not now:
            raise BaseMissing(f"{name} was made, and is gone again.")
        return str(now["Id"])

    def _pull(self, name: str) -> bool:
        if self._refusal:
            return False
        self._report(f"Pulling {name} …")
        repository, _, tag = name.rpartition(":")
        try:
            self._client.images.pull(repository, tag=tag)
        except docker.errors.APIError as error:
            self._refusal = str(error.explanation or error)
            self._report(f"It could not be pulled: {self._refusal}")
            return False
        return True

    def _make(self, python: str) -> bool:
        context = bases.python_context(python)
        if context is None:
            return False
        with context:
            if not _inspect(self._client, bases.DEBIAN):
                tar = bases.file_system(cache_dir(), self._report)
                self._report(f"Importing {bases.DEBIAN} …")
                repository, _, tag = bases.DEBIAN.rpartition(":")
                self._client.api.import_image(str(tar), repository=repository, tag=tag)
            self._report(f"Making {base_name(python)} from this machine's Python {python} …")
            _build(self._client, context, base_name(python), {"DEBIAN": bases.DEBIAN, "PYTHON": python})
        return True

    def _why(self, python: str) -> str:
        reasons: list[str] = []
        if self.kind != "local":
            reasons.append(f"it could not be pulled ({self._refusal})")
        if self.kind != "pull":
            reasons.append(f"this machine has no Python {python} to make it from")
        return f"The base image {base_name(python)} is not here: {', and '.join(reasons)}."


def _check(pythons: Sequence[str], base: str) -> None:
    unknown = [python for python in pythons if python not in SUPPORTED]
    if unknown:
        raise ImageMissing(
            f"There is no sandbox image for Python {', '.join(unknown)}.",
            hint=f"Supported are {', '.join(SUPPORTED)}.",
        )
    if base not in SOURCES:
        raise ImageMissing(f"A base cannot come from '{base}'.", hint=f"Use one of {', '.join(SOURCES)}.")


@cache
def _agent_hash() -> str:
    return content_hash(image_files())


@contextmanager
def _docker() -> Generator[docker.DockerClient]:
    try:
        client = docker.from_env(timeout=BUILD_DEADLINE_S)
        try:
            yield client
        finally:
            client.close()  # type: ignore[no-untyped-call]
    except docker.errors.APIError as error:
        raise ImageMissing(f"Docker refused: {error.explanation or error}") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise DockerUnavailable("Docker does not answer.") from error


def _inspect(client: docker.DockerClient, name: str) -> Mapping[str, Any]:
    """What Docker says of an image; empty when it is not there."""
    try:
        return dict(client.api.inspect_image(name))
    except docker.errors.ImageNotFound:
        return {}


def _build(client: docker.DockerClient, context: Any, name: str, arguments: dict[str, str]) -> None:
    steps: Iterable[dict[str, Any]] = client.api.build(
        fileobj=context,
        custom_context=True,
        tag=name,
        buildargs=arguments,
        network_mode="none",
        pull=False,
        rm=True,
        forcerm=True,
        decode=True,
    )
    said: list[str] = []
    for step in steps:
        said.append(str(step.get("stream", "")))
        if "error" in step:
            last = " ".join("".join(said[-8:]).split())[-600:]
            raise ImageMissing(f"{name} was not built: {step['error']}", hint=f"Docker's last words: {last}")
