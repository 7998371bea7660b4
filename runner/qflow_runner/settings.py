"""Every setting, as one table: name, default, unit and what it is for. Set by QFLOW_<NAME> or by `qflow serve`."""

import base64
import binascii
import hashlib
import importlib.util
import ipaddress
import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "qflow"


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qflow"


def _layers_home(given: dict[str, Any]) -> Path:
    return Path(given.get("data_dir") or _state_home()) / "layers"


def setting(default: Any, unit: str, help: str, **rules: Any) -> Any:  # noqa: A002
    """One row of the table; a callable default is asked each time."""
    rules |= {"description": help, "json_schema_extra": {"unit": unit}}
    return Field(default_factory=default, **rules) if callable(default) else Field(default=default, **rules)


class Settings(BaseSettings):
    """The runner's settings. A wrong value is refused at start with the variable's name."""

    model_config = SettingsConfigDict(
        env_prefix="QFLOW_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

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

    index_url: SecretStr | None = setting(
        None, "URL", "Package index, with user and password if it wants them; otherwise what uv is set up for"
    )
    extra_index_urls: SecretStr | None = setting(
        None, "URLs", "More package indexes, asked before the first one; separated by spaces"
    )
    constraints: Path | None = setting(
        None, "path", "A file of requirement lines that bound the versions of all packages; read at start"
    )
    wheels_dir: Path | None = setting(
        None, "path", "A directory of wheels to install from; no index is asked then (offline)"
    )
    package_urls: bool = setting(
        False, "yes or no", "Whether a requirement may name the URL of a wheel, as in: name @ https://…"
    )
    source_distributions: bool = setting(
        False,
        "yes or no",
        "Whether a package without a wheel may be built from source, in a throw-away container that reaches the index alone",
    )
    package_hosts: Annotated[list[str], NoDecode] = setting(
        lambda: ["files.pythonhosted.org"],
        "hosts",
        "Hosts, or host:port, that such a build may fetch from beside the indexes' own; separated by commas",
    )
    build_memory_mb: int = setting(
        2048, "MB (2^20 bytes)", "Memory of such a build; half of it may be files", ge=128
    )
    layers_dir: Path = setting(
        _layers_home, "path", "Where installed packages are; by default in QFLOW_DATA_DIR"
    )
    layer_max_mb: int = setting(
        2048, "MB (2^20 bytes)", "Installed size of one set of packages at most", ge=1
    )
    layers_max_mb: int = setting(
        20_480, "MB (2^20 bytes)", "Size of all installed packages; the longest unused go first", ge=1
    )
    layers_max_age_days: float = setting(30.0, "days", "Packages unused for so long are removed", gt=0)
    build_deadline_s: float = setting(
        600.0, "seconds", "How long packages may take to be resolved, and to be installed", gt=0
    )
    builds: int = setting(2, "count", "Sets of packages that are installed at the same time", ge=1)

    max_body_mb: int = setting(256, "MB (2^20 bytes)", "Largest request, and largest result of a run", ge=1)
    definitions: int = setting(
        10_000, "count", "Definitions kept in memory; n8n sends a forgotten one again", ge=1
    )
    database_url: SecretStr | None = setting(
        None,
        "URL",
        "Where definitions are kept: postgresql://user:password@host/name, or sqlite:////path/to/file. Default: qflow.db in QFLOW_DATA_DIR",
    )
    database_deadline_s: float = setting(
        5.0, "seconds", "How long a call to the database may take before it counts as away", gt=0
    )
    definition_days: float = setting(
        90.0, "days", "How long the database keeps a definition that is neither saved by name nor used", ge=1
    )
    files_dir: Path | None = setting(
        None,
        "path",
        "Where files of runs are while their execution lives; a disk, not memory. Default: files in QFLOW_DATA_DIR",
    )
    files_max_mb: int = setting(4096, "MB (2^20 bytes)", "Largest file, uploaded or returned", ge=1)
    files_total_mb: int = setting(
        20_480, "MB (2^20 bytes)", "All files together; the oldest make room for a new one", ge=1
    )
    files_keep_s: float = setting(
        3600.0, "seconds", "How long a file is kept whose execution nobody said is over", gt=0
    )
    spill_dir: Path | None = setting(
        None,
        "path",
        "Where values that outlive their session are, encrypted. Default: spill in QFLOW_DATA_DIR",
    )
    spill_days: float = setting(7.0, "days", "How long such a value is kept", gt=0)
    spill_total_mb: int = setting(
        10_240, "MB (2^20 bytes)", "All such values together; the oldest make room for a new one", ge=1
    )
    cache_memory_mb: int = setting(
        64, "MB (2^20 bytes)", "Results of nodes that ask for a cache, in memory; 0 keeps none there", ge=0
    )
    cache_disk_mb: int = setting(
        1024,
        "MB (2^20 bytes)",
        "Such results on disk, encrypted, in QFLOW_DATA_DIR; 0 keeps none there",
        ge=0,
    )
    cache_value_max_mb: int = setting(16, "MB (2^20 bytes)", "A larger result is not cached", ge=1, le=512)
    redis_url: SecretStr | None = setting(
        None,
        "URL",
        "A Redis in which runners with the same QFLOW_ENCRYPTION_KEYS share cached results; without it none is used",
    )
    encryption_keys: Annotated[list[SecretStr], NoDecode] = setting(
        list,
        "Fernet keys",
        "What is encrypted at rest, comma separated, newest first; without it a key is made in QFLOW_DATA_DIR",
    )
    advisories: Literal["off", "warn", "block"] = setting(
        "warn",
        "name",
        "Packages with known vulnerabilities: not looked up, shown with a warning, or refused",
    )
    advisories_url: str = setting(
        "https://api.osv.dev",
        "URL",
        "Base address of the OSV service; names and versions of public packages are sent to it",
    )
    advisories_mirror: Path | None = setting(
        None,
        "path",
        "A copy of OSV's export for PyPI, all.zip or a directory of its JSON files; asked instead of the service",
    )
    advisories_keep_s: float = setting(
        86_400.0, "seconds", "How long the service's answer about a package is taken as it is", ge=0
    )
    advisories_deadline_s: float = setting(
        20.0, "seconds", "How long a lookup may take; what is not known then is 'not checked'", gt=0
    )
    drain_s: float = setting(30.0, "seconds", "How long runs may finish after SIGTERM", ge=0)
    log_format: Literal["console", "json"] = setting(
        "console", "name", "How log events are written to stderr"
    )
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = setting(
        "info", "level", "The least serious event that is logged"
    )

    @field_validator("advisories_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname)
        if not is_http or not value.isprintable() or " " in value:
            raise ValueError("an address starts with http:// or https:// and the name of a host")
        return value

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_database_url(value.get_secret_value())
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: SecretStr | None) -> SecretStr | None:
        url = value.get_secret_value().strip() if value is not None else ""
        if not url:
            return None
        if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("an address of a Redis starts with redis://, rediss:// or unix://")
        return SecretStr(url)

    @field_validator("encryption_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:
        return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value

    @field_validator("encryption_keys")
    @classmethod
    def _fernet_keys(cls, value: list[SecretStr]) -> list[SecretStr]:
        if not all(is_fernet_key(key.get_secret_value()) for key in value):
            raise ValueError("each key is 32 bytes in URL-safe base64, such as Fernet.generate_key() makes")
        return value

    @field_validator("package_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: Any) -> Any:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("package_hosts")
    @classmethod
    def _host_names(cls, value: list[str]) -> list[str]:
        if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.\-]*(:[0-9]{1,5})?", host) for host in value):
            raise ValueError("each is the name of a host, as files.example.org or files.example.org:8443")
        return value

    @model_validator(mode="after")
    def _sources_have_a_boundary(self) -> "Settings":
        if self.source_distributions and self.backend == "process":
            raise ValueError(
                "QFLOW_SOURCE_DISTRIBUTIONS: building from source runs strangers' code, and the process backend has no boundary"
            )
        if self.source_distributions and self.wheels_dir is not None:
            raise ValueError(
                "QFLOW_SOURCE_DISTRIBUTIONS: sources come from an index, and with QFLOW_WHEELS_DIR none is asked"
            )
        return self

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
    def files_path(self) -> Path:
        return self.files_dir or self.data_dir / "files"

    @property
    def spill_path(self) -> Path:
        return self.spill_dir or self.data_dir / "spill"

    @property
    def results_path(self) -> Path:
        return self.data_dir / "results"

    @property
    def run_dir(self) -> Path:
        """Where the sandboxes' sockets are: a short path of our own, because a socket's path has at most 107 bytes."""
        name = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:12]
        base = os.environ.get("XDG_RUNTIME_DIR") or ("/run" if os.getuid() == 0 else tempfile.gettempdir())
        return Path(base) / f"qflow-{name}"


def _check_database_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in {"postgresql", "postgres"}:
        if importlib.util.find_spec("asyncpg") is None:
            raise ValueError("PostgreSQL needs one more package: pip install 'qflow[postgres]'")
        if not parts.hostname or not parts.path.strip("/"):
            raise ValueError("it names a host and a database, as in postgresql://user:password@host/name")
        _ = parts.port  # raises ValueError where it is no port
    elif parts.scheme != "sqlite" or parts.netloc or parts.path.strip("/") in {"", ":memory:"}:
        raise ValueError("it starts with postgresql:// or, before the path of a file, with sqlite:///")


def is_fernet_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False
