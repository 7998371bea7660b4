"""Sandboxes as Docker containers. The only module, with `images`, that knows Docker.

The Docker SDK blocks, so every call runs in a small pool of threads of its own, with a deadline. A run never
comes here: its data goes over the guest's socket, so Docker may be away while warm sandboxes go on working.
"""

import asyncio
import json
import math
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import docker
import docker.errors
import docker.types
import requests.exceptions
import structlog

from qflow_runner.errors import DockerUnavailable, ImageMissing, QflowError, SandboxError
from qflow_runner.layers import Confined, Ended, compile_command
from qflow_runner.sandbox import hardening, images
from qflow_runner.sandbox.backend import Health, Limits, SandboxSpec, environment
from qflow_runner.sandbox.host_paths import HostPaths
from qflow_runner.sandbox.image_files import image_files
from qflow_runner.sandbox.outage import Outage

log = structlog.get_logger()

SANDBOX_LABEL = "qflow.sandbox"
API_DEADLINE_S = 30
PING_DEADLINE_S = 1
"""For the question whether Docker is back: whoever needs a sandbox waits for that."""
COMPILE_DEADLINE_S = 300
COMPILE_DIR = "/mnt/layer"
COMPILE_LIST = "/mnt/sources"
SANDBOX_DIR = "/run/qflow"
LAYERS_DIR = "/opt/qflow/layers"
FILES_DIR = "/run/qflow-files"
TMP_DIR = "/run/sandbox"
"""Memory that can be written. In it each session has a directory of its own, which is its home and its /tmp."""
USER = "65532:65532"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Machine:
    """What holds for every container: what Docker starts it with, and where Docker finds the runner's paths."""

    runtime: str
    paths: HostPaths

    def binds(self, client: docker.DockerClient, places: Mapping[Path, str], mode: str) -> dict[str, Any]:
        def find(volume: str) -> str:
            return str(client.api.inspect_volume(volume)["Mountpoint"])

        return {
            self.paths.on_host(place, find): {"bind": inside, "mode": mode}
            for place, inside in places.items()
        }


class DockerBackend:
    """One container per sandbox: no network, read-only root, no capabilities, no privileges to gain."""

    name = "docker"

    def __init__(self, identity: str, runtime: str = "", mounts: Sequence[str] = ()) -> None:
        """`runtime` is what Docker is to start containers with; empty is its own. `mounts`: see HostPaths."""
        self._identity = identity
        self._runtime = runtime
        self._machine = Machine(runtime, HostPaths(mounts))
        self._client: docker.DockerClient | None = None
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="docker")
        # Of its own: the others may all be waiting for a Docker that hangs.
        self._asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="docker-ping")
        self._outage = Outage(self._ping)

    async def open(self) -> None:
        """Remove the jobs that an earlier run of this runner left: nobody waits for them any more."""
        for container in await self._call(self._ours):
            if SANDBOX_LABEL not in container["Labels"]:
                log.info("job.reaped", container=container["Id"][:12])
                await self._call(lambda client, name=container["Id"]: _remove(client, name))

    async def left(self, known: Iterable[str]) -> dict[str, bool]:
        del known  # the labels say it
        return {
            container["Labels"][SANDBOX_LABEL]: container["State"] == "running"
            for container in await self._call(self._ours)
            if SANDBOX_LABEL in container["Labels"]
        }

    async def boot(self, spec: SandboxSpec) -> None:
        await self._call(lambda client: _boot(client, spec, self._machine))

    async def resize(self, sandbox: str, limits: Limits) -> None:
        await self._call(lambda client: _resize(client, container_name(sandbox), limits))

    async def remove(self, sandbox: str) -> None:
        await self._call(lambda client: _remove(client, container_name(sandbox)))

    async def explain(self, sandbox: str) -> str:
        try:
            return await self._call(lambda client: _explain(client, container_name(sandbox)))
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
            self._call(lambda client: _confine(client, job, name, labels, self._machine))
        )
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # A thread cannot be cancelled: it waits for the container, and so ends with it.
            ending = asyncio.ensure_future(self._call(lambda client: _remove(client, name)))
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


def container_name(sandbox: str) -> str:
    return f"qflow-{sandbox}"


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


@cache
def security_options() -> list[str]:
    """No privileges to gain, and our own list of system calls: `seccomp.json` beside the images."""
    profile = json.loads((image_files() / "seccomp.json").read_text())
    return ["no-new-privileges:true", f"seccomp={json.dumps(profile, separators=(',', ':'))}"]


def ulimits() -> list[docker.types.Ulimit]:
    return [docker.types.Ulimit(name=name, soft=most, hard=most) for name, most in hardening.ULIMITS.items()]


def host_config(client: docker.DockerClient, **options: Any) -> dict[str, Any]:
    """With what the SDK has no words for."""
    config: dict[str, Any] = client.api.create_host_config(**options)
    return config | {"MaskedPaths": list(hardening.MASKED), "ReadonlyPaths": list(hardening.READ_ONLY)}


def _boot(client: docker.DockerClient, spec: SandboxSpec, machine: Machine) -> None:
    limits = spec.limits
    period_us = int(limits.cpu_period_ms * 1000)
    memory = f"{limits.memory_mb}m"
    config = host_config(
        client,
        binds=machine.binds(
            client,
            {
                place: inside
                for place, inside in (
                    (spec.socket.parent, SANDBOX_DIR),
                    (spec.layers, LAYERS_DIR),
                    (spec.files, FILES_DIR),
                    (spec.hosts, "/etc/hosts"),
                )
                if place is not None
            },
            "ro",
        ),
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=security_options(),
        mem_limit=memory,
        memswap_limit=memory,
        cpu_period=period_us,
        cpu_quota=int(period_us * limits.cpus),
        pids_limit=limits.processes,
        tmpfs={
            TMP_DIR: f"rw,noexec,nosuid,nodev,size={limits.tmp_mb}m,mode=1777",
            # Not readable: who could watch it would learn the names of other executions' shared memory.
            "/dev/shm": "rw,noexec,nosuid,nodev,size=16m,mode=1733",  # noqa: S108
        },
        ulimits=ulimits(),
        ipc_mode="private",
        runtime=machine.runtime or None,
        log_config=docker.types.LogConfig(type="json-file", config={"max-size": "64k"}),
        oom_score_adj=0,
    )
    created = client.api.create_container(
        images.image_name(spec.python),
        name=container_name(spec.id),
        command=["--socket", f"{SANDBOX_DIR}/{spec.socket.name}", "--token", spec.token],
        user=USER,
        hostname="sandbox",
        environment=environment(spec, LAYERS_DIR, FILES_DIR) | {"TMPDIR": TMP_DIR, "QFLOW_CONFINE": "1"},
        working_dir="/",
        labels={**spec.labels, SANDBOX_LABEL: spec.id, "qflow.python": spec.python},
        host_config=config,
        network_disabled=True,
    )
    client.api.start(created["Id"])


def _confine(
    client: docker.DockerClient,
    job: Confined,
    name: str,
    labels: dict[str, str],
    machine: Machine,
) -> Ended:
    entry, *arguments = job.command
    memory = f"{job.memory_mb}m"
    binds = machine.binds(client, job.readable, "ro") | machine.binds(client, job.writable, "rw")
    # What is built may have to be loaded, so files there can be executed.
    tmp = {TMP_DIR: f"rw,exec,nosuid,nodev,size={job.tmp_mb}m,mode=1777"} if job.tmp_mb else {}
    created = client.api.create_container(
        images.image_name(job.python),
        name=name,
        entrypoint=[entry],
        command=arguments,
        user=job.user or USER,
        hostname="sandbox",
        environment={**job.environment, "TMPDIR": TMP_DIR},
        working_dir="/",
        labels=labels,
        network_disabled=True,
        host_config=host_config(
            client,
            binds=binds,
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=security_options(),
            mem_limit=memory,
            memswap_limit=memory,
            pids_limit=job.processes,
            tmpfs=tmp,
            shm_size="16m",
            ulimits=ulimits(),
            ipc_mode="private",
            runtime=machine.runtime or None,
            log_config=docker.types.LogConfig(type="json-file", config={"max-size": "256k"}),
        ),
    )
    try:
        client.api.start(created["Id"])
        status = _wait(client, created["Id"], job.deadline_s)
        state = client.api.inspect_container(created["Id"])["State"]
        told: bytes = client.api.logs(created["Id"], tail=job.lines)
        return Ended(status, bool(state["OOMKilled"]), told.decode("utf-8", "replace").strip())
    finally:
        _remove(client, created["Id"])


def _wait(client: docker.DockerClient, container: str, deadline_s: float) -> int | None:
    """The exit status; None when it was still running at the deadline, and was killed."""
    try:
        return client.api.wait(container, timeout=math.ceil(deadline_s))["StatusCode"]
    except (requests.exceptions.Timeout, requests.exceptions.ConnectionError):
        # The SDK tells a silent Docker and a long wait apart no better than this.
        state = client.api.inspect_container(container)["State"]
        if not state["Running"]:
            return state["ExitCode"]
        client.api.kill(container)
        return None


def _resize(client: docker.DockerClient, name: str, limits: Limits) -> None:
    memory = f"{limits.memory_mb}m"
    period_us = int(limits.cpu_period_ms * 1000)
    client.api.update_container(
        name,
        mem_limit=memory,
        memswap_limit=memory,
        cpu_period=period_us,
        cpu_quota=int(period_us * limits.cpus),
    )


def _remove(client: docker.DockerClient, name: str) -> None:
    try:
        client.api.remove_container(name, force=True, v=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != 409:  # its removal is already under way
            raise


def _explain(client: docker.DockerClient, name: str) -> str:
    try:
        state = client.api.inspect_container(name)["State"]
        output: bytes = client.api.logs(name, tail=5)
    except docker.errors.NotFound:
        return ""
    last = output.decode("utf-8", "replace").strip().splitlines()[-1:]
    status = f"the container is {state['Status']} (exit status {state['ExitCode']})"
    return "; ".join([status, *last])
