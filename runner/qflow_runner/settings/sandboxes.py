"""What a sandbox is and may use, and how many there are."""

import re
from typing import Annotated, Any, Literal

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode

from qflow_runner.settings.table import setting


class SandboxSettings(BaseSettings):
    backend: Literal["docker", "process"] = setting(
        "docker",
        "name",
        "What a sandbox is: a Docker container, or a plain process (development only, no boundary)",
    )
    docker_runtime: str = setting(
        "",
        "name",
        "The runtime with which Docker starts containers, such as runsc (gVisor); empty takes Docker's own",
        pattern="^[A-Za-z0-9._/-]*$",
    )
    docker_mounts: Annotated[list[str], NoDecode] = setting(
        list,
        "volume:path",
        "For a runner that is a container: its volumes, as in qflow-data:/var/lib/qflow, by which Docker finds what "
        "sandboxes are to see; separated by commas. Empty: Docker sees the paths that the runner sees",
    )
    isolation: Literal["best", "required"] = setting(
        "best",
        "name",
        "Whether a sandbox may be used whose kernel cannot keep executions of one workflow apart in full: best takes "
        "what there is and says so, required refuses",
    )
    python: str = setting("3.12", "version", "Python of a node that names none")
    time_limit_s: float = setting(30.0, "seconds", "Time limit of a node that names none", gt=0)
    time_limit_max_s: float = setting(
        3600.0, "seconds", "The longest time limit that a node may ask for", gt=0
    )
    memory_mb: int = setting(512, "MB (2^20 bytes)", "Memory of one sandbox", ge=64)
    memory_max_mb: int = setting(
        2048,
        "MB (2^20 bytes)",
        "The most that a node may ask for, and that a sandbox which ran out of memory is raised to",
        ge=64,
    )
    cpus: float = setting(0.5, "CPUs", "CPU time of one sandbox per second", gt=0)
    cpus_max: float = setting(2.0, "CPUs", "The most CPU time per second that a node may ask for", gt=0)
    cpu_burst: bool = setting(
        True,
        "true or false",
        "Whether a sandbox may use up CPU time that it saved, where the kernel lets the runner say so",
    )
    cpu_period_ms: float = setting(
        20.0,
        "milliseconds",
        "How often the CPU share is dealt out: shorter means shorter stalls",
        ge=1,
        le=1000,
    )
    processes: int = setting(256, "count", "Processes and threads of one sandbox", ge=16)
    tmp_mb: int = setting(64, "MB (2^20 bytes)", "Size of a sandbox's /tmp, which is memory", ge=1)
    pool_floor: int = setting(2, "count", "Warm sandboxes kept ready for new workflows", ge=0)
    pool_ceiling: int = setting(20, "count", "Sandboxes at most", ge=1)
    pool_idle_s: float = setting(900.0, "seconds", "A workflow's sandbox unused for so long is stopped", gt=0)
    pool_max_age_s: float = setting(
        21600.0, "seconds", "A sandbox older than this is replaced when it is free", gt=0
    )
    pool_wait_s: float = setting(
        30.0, "seconds", "How long a run waits for a sandbox before it is told 'busy'", gt=0
    )
    pool_exhausted: Literal["wait", "fail"] = setting(
        "wait", "name", "What happens to a run when all sandboxes are in use: wait, or fail at once"
    )
    pool_turn_s: float = setting(
        5.0,
        "seconds",
        "When all sandboxes are in use and others wait, a workflow keeps its own for at least so long",
        ge=0,
    )
    boot_deadline_s: float = setting(20.0, "seconds", "How long a sandbox may take to start", gt=0)
    session_idle_s: float = setting(
        300.0, "seconds", "An execution's session unused for so long is ended", gt=0
    )
    sessions_per_sandbox: int = setting(
        16, "count", "Sessions kept per sandbox; the longest unused goes first", ge=1
    )

    @field_validator("docker_mounts", mode="before")
    @classmethod
    def _split_mounts(cls, value: Any) -> Any:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("docker_mounts")
    @classmethod
    def _volumes_and_paths(cls, value: list[str]) -> list[str]:
        for each in value:
            if not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]*|/[^:]*):/[^:]+", each):
                raise ValueError(
                    f"'{each}' is not a volume's name, or a path of Docker's machine, and the path here: name:/path"
                )
        return value

    @property
    def memory_ceiling_mb(self) -> int:
        return max(self.memory_mb, self.memory_max_mb)

    @property
    def cpus_ceiling(self) -> float:
        return max(self.cpus, self.cpus_max)
