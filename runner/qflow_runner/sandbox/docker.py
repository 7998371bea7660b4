"""Sandboxes as Docker containers: only this module, `containers` and `images` know Docker.

The Docker SDK blocks, so every call runs in a small pool of threads of its own, with a deadline. A run never
comes here: its data goes over the guest's socket, so Docker may be away while warm sandboxes go on working.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import docker
import docker.errors
import requests.exceptions
import structlog

from qflow_runner.errors import DockerUnavailable, ImageMissing, QflowError, SandboxError
from qflow_runner.layers import Confined, Ended, compile_command
from qflow_runner.sandbox import containers
from qflow_runner.sandbox.backend import Health, Limits, SandboxSpec
from qflow_runner.sandbox.host_paths import HostPaths
from qflow_runner.sandbox.outage import Outage

log = structlog.get_logger()

API_DEADLINE_S = 30
PING_DEADLINE_S = 1
"""For the question whether Docker is back: whoever needs a sandbox waits for that."""
COMPILE_DEADLINE_S = 300
COMPILE_DIR = "/mnt/layer"
COMPILE_LIST = "/mnt/sources"

Result = TypeVar("Result")


class DockerBackend:
    """One container per sandbox: no network, read-only root, no capabilities, no privileges to gain."""

    name = "docker"

    def __init__(self, identity: str, runtime: str = "", mounts: Sequence[str] = ()) -> None:
        """`runtime` is what Docker is to start containers with; empty is its own. `mounts`: see HostPaths."""
        self._identity = identity
        self._runtime = runtime
        self._machine = containers.Machine(runtime, HostPaths(mounts))
        self._client: docker.DockerClient | None = None
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="docker")
        # Of its own: the others may all be waiting for a Docker that hangs.
        self._asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="docker-ping")
        self._outage = Outage(self._ping)

    async def open(self) -> None:
        """Remove the jobs that an earlier run of this runner left: nobody waits for them any more."""
        for container in await self._call(self._ours):
            if containers.SANDBOX_LABEL not in container["Labels"]:
                log.info("job.reaped", container=container["Id"][:12])
                await self._call(lambda client, name=container["Id"]: containers.remove(client, name))

    async def left(self, known: Iterable[str]) -> dict[str, bool]:
        del known  # the labels say it
        return {
            container["Labels"][containers.SANDBOX_LABEL]: container["State"] == "running"
            for container in await self._call(self._ours)
            if containers.SANDBOX_LABEL in container["Labels"]
        }

    async def boot(self, spec: SandboxSpec) -> None:
        await self._call(lambda client: containers.boot(client, spec, self._machine))

    async def resize(self, sandbox: str, limits: Limits) -> None:
        await self._call(lambda client: containers.resize(client, containers.container_name(sandbox), limits))

    async def remove(self, sandbox: str) -> None:
        await self._call(lambda client: containers.remove(client, containers.container_name(sandbox)))

    async def explain(self, sandbox: str) -> str:
        try:
            return await self._call(
                lambda client: containers.explain(client, containers.container_name(sandbox))
            )
        except QflowError as error:
            return error.detail

    async def compile(self, python: str, directory: Path, listed: Path) -> None:
        """As the owner of the directory, which is all that it can write to."""
        job = Confined(
            python=python,
            command=compile_command("/usr/local/bin/python3", COMPILE_DIR, COMPILE_LIST, os.cpu_count() or 1),
            deadline_s=COMPILE_DEADLINE_S,
            readable={listed: COMPILE_LIST},
            writable={directory: COMPILE_DIR},
            user=f"{os.getuid()}:{os.getgid()}",
        )
        ended = await self.confine(job)
        if ended.status not in {0, 1}:
            how = f"status {ended.status}" if ended.status is not None else "its time"
            raise SandboxError(f"The byte compiler of Python {python} ended with {how}: {ended.told}")

    async def confine(self, job: Confined) -> Ended:
        """Whatever happens, and when the caller is cancelled, the container is gone at the end."""
        name = f"qflow-job-{secrets.token_hex(8)}"
        labels = {"qflow.runner": self._identity}
        running = asyncio.ensure_future(
            self._call(lambda client: containers.confine(client, job, name, labels, self._machine))
        )
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # A thread cannot be cancelled: it waits for the container, and so ends with it.
            ending = asyncio.ensure_future(self._call(lambda client: containers.remove(client, name)))
            # Nobody asks how they ended any more.
            ended = asyncio.gather(ending, running, return_exceptions=True)
            await asyncio.wait({ended}, timeout=API_DEADLINE_S)
            raise

    async def health(self) -> Health:
        try:
            told = await self._call(lambda client: client.info())
        except QflowError as error:
            return Health(False, error.detail)
        known = told.get("Runtimes") or {}
        # A name with a dot is a program of containerd's, which Docker does not list.
        if self._runtime and "." not in self._runtime and self._runtime not in known:
            return Health(
                False,
                f"Docker {told['ServerVersion']} knows no runtime '{self._runtime}', only {', '.join(sorted(known))}: "
                "add it to Docker's daemon.json and start Docker again, or change QFLOW_DOCKER_RUNTIME",
                self._runtime,
            )
        runtime = self._runtime or told.get("DefaultRuntime", "")
        return Health(True, f"Docker {told['ServerVersion']} answers", runtime)

    async def close(self) -> None:
        self._threads.shutdown(wait=False)
        self._asking.shutdown(wait=False)
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]

    async def _call(self, work: Callable[[docker.DockerClient], Result]) -> Result:
        await self._outage.over()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._guarded, work)
        except DockerUnavailable as error:
            self._outage.began(error)
            raise

    async def _ping(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._asking, _ping)

    def _guarded(self, work: Callable[[docker.DockerClient], Result]) -> Result:
        try:
            if self._client is None:
                self._client = docker.from_env(timeout=API_DEADLINE_S)
            return work(self._client)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise mapped(error) from error

    def _ours(self, client: docker.DockerClient) -> list[dict[str, Any]]:
        return client.api.containers(all=True, filters={"label": f"qflow.runner={self._identity}"})


def _ping() -> None:
    try:
        client = docker.from_env(timeout=PING_DEADLINE_S)
        try:
            client.ping()
        finally:
            client.close()  # type: ignore[no-untyped-call]
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise DockerUnavailable(
            f"Docker did not answer within {PING_DEADLINE_S} s."
            if isinstance(error, requests.exceptions.Timeout)
            else "Docker does not answer."
        ) from error


def mapped(error: Exception) -> QflowError:
    """Docker's error as ours. Every class of the SDK has a place here; a test holds that."""
    if isinstance(error, docker.errors.ImageNotFound):
        return ImageMissing(
            "The sandbox image of this Python is not on this machine.",
            hint="Build it with `qflow images build --python <version>`, or choose another Python in the node.",
        )
    if isinstance(error, docker.errors.APIError):
        explanation = str(error.explanation or error)
        more = (
            " (that of QFLOW_DOCKER_RUNTIME)"
            if "nknown runtime" in explanation or "runtime name" in explanation
            else ""
        )
        return SandboxError(f"Docker refused: {explanation}{more}")
    if isinstance(error, requests.exceptions.Timeout):
        return DockerUnavailable(f"Docker did not answer within {API_DEADLINE_S} s.")
    return DockerUnavailable("Docker does not answer.")
