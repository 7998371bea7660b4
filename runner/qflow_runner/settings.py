"""Every setting, as one table: name, default, unit and what it is for. Set by QFLOW_<NAME> or by `qflow serve`."""

import hashlib
import ipaddress
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "qflow"


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qflow"


def setting(default: Any, unit: str, help: str, **rules: Any) -> Any:  # noqa: A002
    """One row of the table; a callable default is asked each time."""
    rules |= {"description": help, "json_schema_extra": {"unit": unit}}
    return Field(default_factory=default, **rules) if callable(default) else Field(default=default, **rules)


class Settings(BaseSettings):
    """The runner's settings. A wrong value is refused at start with the variable's name."""

    model_config = SettingsConfigDict(env_prefix="QFLOW_", extra="ignore", frozen=True)

    host: str = setting(
        "127.0.0.1", "address", "Where the runner listens; beyond loopback QFLOW_TOKEN must be set"
    )
    port: int = setting(8717, "port", "TCP port of the runner; 0 takes a free one", ge=0, le=65535)
    token: SecretStr | None = setting(
        None, "text", "Bearer token of the API; without it one is made at the first start and printed once"
    )
    data_dir: Path = setting(_state_home, "path", "Where the runner keeps its token and its identity")
    cache_dir: Path = setting(_cache_home, "path", "Where downloads are kept; may be emptied at any time")
    backend: Literal["docker", "process"] = setting(
        "docker",
        "name",
        "What a sandbox is: a Docker container, or a plain process (development only, no boundary)",
    )
    python: str = setting("3.12", "version", "Python of a node that names none")

    time_limit_s: float = setting(30.0, "seconds", "Time limit of a node that names none", gt=0)
    time_limit_max_s: float = setting(
        3600.0, "seconds", "The longest time limit that a node may ask for", gt=0
    )
    memory_mb: int = setting(512, "MB (2^20 bytes)", "Memory of one sandbox", ge=64)
    cpus: float = setting(0.5, "CPUs", "CPU time of one sandbox per second", gt=0)
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
    boot_deadline_s: float = setting(20.0, "seconds", "How long a sandbox may take to start", gt=0)

    session_idle_s: float = setting(
        300.0, "seconds", "An execution's session unused for so long is ended", gt=0
    )
    sessions_per_sandbox: int = setting(
        16, "count", "Sessions kept per sandbox; the longest unused goes first", ge=1
    )

    max_body_mb: int = setting(256, "MB (2^20 bytes)", "Largest request, and largest result of a run", ge=1)
    definitions: int = setting(
        10_000, "count", "Definitions kept in memory; n8n sends a forgotten one again", ge=1
    )
    drain_s: float = setting(30.0, "seconds", "How long runs may finish after SIGTERM", ge=0)
    log_format: Literal["console", "json"] = setting(
        "console", "name", "How log events are written to stderr"
    )
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = setting(
        "info", "level", "The least serious event that is logged"
    )

    @model_validator(mode="after")
    def _token_beyond_loopback(self) -> "Settings":
        if self.token is not None and len(self.token.get_secret_value()) < 16:
            raise ValueError("QFLOW_TOKEN must have at least 16 characters")
        if self.token is None and not self.loopback:
            raise ValueError(
                f"QFLOW_HOST={self.host} can be reached from other machines: set QFLOW_TOKEN to a secret of your own"
            )
        return self

    @property
    def loopback(self) -> bool:
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def max_body(self) -> int:
        """Bytes."""
        return self.max_body_mb << 20

    @property
    def run_dir(self) -> Path:
        """Where the sandboxes' sockets are: a short path of our own, because a socket's path has at most 107 bytes."""
        name = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:12]
        base = os.environ.get("XDG_RUNTIME_DIR") or ("/run" if os.getuid() == 0 else tempfile.gettempdir())
        return Path(base) / f"qflow-{name}"
