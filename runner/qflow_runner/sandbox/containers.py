"""What a sandbox's container is made of, and what is done with one. Each call blocks: see `DockerBackend`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import requests.exceptions

from qflow_runner.layers import Confined, Ended
from qflow_runner.sandbox import hardening, images
from qflow_runner.sandbox.backend import Limits, SandboxSpec, environment
from qflow_runner.sandbox.host_paths import HostPaths
from qflow_runner.sandbox.image_files import image_files

SANDBOX_LABEL = "qflow.sandbox"
SANDBOX_DIR = "/run/qflow"
LAYERS_DIR = "/opt/qflow/layers"
FILES_DIR = "/run/qflow-files"
TMP_DIR = "/run/sandbox"
"""Memory that can be written. In it each session has a directory of its own, which is its home and its /tmp."""
USER = "65532:65532"


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


def container_name(sandbox: str) -> str:
    return f"qflow-{sandbox}"


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


def boot(client: docker.DockerClient, spec: SandboxSpec, machine: Machine) -> None:
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


def confine(
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
        remove(client, created["Id"])


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


def resize(client: docker.DockerClient, name: str, limits: Limits) -> None:
    memory = f"{limits.memory_mb}m"
    period_us = int(limits.cpu_period_ms * 1000)
    client.api.update_container(
        name,
        mem_limit=memory,
        memswap_limit=memory,
        cpu_period=period_us,
        cpu_quota=int(period_us * limits.cpus),
    )


def remove(client: docker.DockerClient, name: str) -> None:
    try:
        client.api.remove_container(name, force=True, v=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != 409:  # its removal is already under way
            raise


def explain(client: docker.DockerClient, name: str) -> str:
    try:
        state = client.api.inspect_container(name)["State"]
        output: bytes = client.api.logs(name, tail=5)
    except docker.errors.NotFound:
        return ""
    last = output.decode("utf-8", "replace").strip().splitlines()[-1:]
    status = f"the container is {state['Status']} (exit status {state['ExitCode']})"
    return "; ".join([status, *last])
