"""Where things are kept: definitions, files, values, results; how long, and with which keys."""

import base64
import binascii
import importlib.util
import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from qflow_runner.settings.table import setting, state_home


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qflow"


class StorageSettings(BaseSettings):
    data_dir: Path = setting(state_home, "path", "Where the runner keeps its token and its identity")
    cache_dir: Path = setting(_cache_home, "path", "Where downloads are kept; may be emptied at any time")
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
    run_days: float = setting(
        30.0,
        "days",
        "How long the record of a run is kept: its times, what it printed, what it failed with",
        gt=0,
    )
    run_records_max: int = setting(
        1_000_000, "count", "Records of runs at most; the oldest are removed first", ge=1_000
    )
    keep_inputs: Literal["off", "failed", "all"] = setting(
        "failed",
        "name",
        "Whose items are kept, encrypted, so that a run can be made again: of no run, of those that failed, of all",
    )
    inputs_total_mb: int = setting(
        512, "MB (2^20 bytes)", "All such items together; the oldest make room for new ones", ge=1
    )
    files_dir: Path | None = setting(
        None,
        "path",
        "Where files of runs are while their execution lives; a disk, not memory. Default: files in QFLOW_SHARED_DIR or QFLOW_DATA_DIR",
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
        "Where values that outlive their session are, encrypted. Default: spill in QFLOW_SHARED_DIR or QFLOW_DATA_DIR",
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
        "A Redis in which runners with the same QFLOW_ENCRYPTION_KEYS share cached results, and by which a cluster works; without it none is used",
    )
    encryption_keys: Annotated[list[SecretStr], NoDecode] = setting(
        list,
        "Fernet keys",
        "What is encrypted at rest, comma separated, newest first; without it a key is made in QFLOW_DATA_DIR",
    )

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

    @property
    def results_path(self) -> Path:
        return self.data_dir / "results"


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
