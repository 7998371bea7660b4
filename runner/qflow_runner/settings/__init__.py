"""Every setting, as one table: name, default, unit and what it is for. Set by QFLOW_<NAME> or by `qflow serve`.

The rows stand with their subject: `serving`, `access`, `sandboxes`, `packages`, `storage`, `cluster`, `observing`. Here is what holds for several.
"""

import hashlib
import os
import tempfile
from pathlib import Path, PurePosixPath

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from qflow_runner.settings.access import AccessSettings
from qflow_runner.settings.cluster import ClusterSettings, bucket_client_missing, celery_missing
from qflow_runner.settings.code import CodeSettings
from qflow_runner.settings.egress import EgressSettings
from qflow_runner.settings.observing import ObservingSettings
from qflow_runner.settings.packages import PackageSettings
from qflow_runner.settings.sandboxes import SandboxSettings
from qflow_runner.settings.serving import ServingSettings
from qflow_runner.settings.storage import StorageSettings, is_fernet_key

__all__ = ["Settings", "is_fernet_key"]


class Settings(
    ServingSettings,
    CodeSettings,
    AccessSettings,
    SandboxSettings,
    EgressSettings,
    PackageSettings,
    StorageSettings,
    ClusterSettings,
    ObservingSettings,
):
    """The runner's settings. A wrong value is refused at start with the variable's name."""

    model_config = SettingsConfigDict(
        env_prefix="QFLOW_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

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
    def _others_meet_a_boundary(self) -> "Settings":
        if self.backend == "process" and not self.loopback:
            raise ValueError(
                f"QFLOW_BACKEND=process runs code as the runner's own user, and QFLOW_HOST={self.host} can be reached from "
                "other machines: use docker, or listen on 127.0.0.1"
            )
        if self.backend == "process" and self.isolation == "required":
            raise ValueError("QFLOW_ISOLATION=required: the process backend keeps nothing apart")
        return self

    @model_validator(mode="after")
    def _docker_finds_what_sandboxes_see(self) -> "Settings":
        mounted = [PurePosixPath(each.split(":", 1)[1]) for each in self.docker_mounts]
        seen = {
            "where the sockets are (XDG_RUNTIME_DIR)": self.run_dir,
            "QFLOW_LAYERS_DIR": self.layers_dir,
            "files that sandboxes read": self.sandbox_files_path,
        }
        for name, place in seen.items() if mounted else ():
            if not any(Path(os.path.abspath(place)).is_relative_to(each) for each in mounted):  # noqa: PTH100
                raise ValueError(f"QFLOW_DOCKER_MOUNTS: {place} is in none of them, {name}")
        return self

    @model_validator(mode="after")
    def _a_cluster_has_where_it_meets(self) -> "Settings":
        if self.engine == "celery":
            missing = [
                name
                for name, there in (
                    ("QFLOW_REDIS_URL", self.redis_url),
                    ("QFLOW_DATABASE_URL", self.database_url),
                    ("QFLOW_SHARED_DIR or QFLOW_SHARED_BUCKET", self.shared),
                    ("QFLOW_ENCRYPTION_KEYS", self.encryption_keys),
                )
                if not there
            ]
            if missing:
                raise ValueError(
                    f"QFLOW_ENGINE=celery: every process of the cluster needs the same {', '.join(missing)}"
                )
            if celery_missing():
                raise ValueError("QFLOW_ENGINE=celery needs more packages: pip install 'qflow[cluster]'")
        if self.shared_dir is not None and self.shared_bucket is not None:
            raise ValueError("QFLOW_SHARED_DIR and QFLOW_SHARED_BUCKET: what is shared lies in one of them")
        if self.shared_bucket is not None and bucket_client_missing():
            raise ValueError("QFLOW_SHARED_BUCKET needs one more package: pip install 'qflow[s3]'")
        return self

    @property
    def files_path(self) -> Path:
        return self.files_dir or (self.shared_dir or self.data_dir) / "files"

    @property
    def spill_path(self) -> Path:
        return self.spill_dir or (self.shared_dir or self.data_dir) / "spill"

    @property
    def shared(self) -> bool:
        """Whether other runners see the same files and values."""
        return self.shared_dir is not None or self.shared_bucket is not None

    @property
    def sandbox_files_path(self) -> Path:
        """Below it sandboxes have a directory each, in which they see files; it is this machine's alone."""
        return (self.data_dir / "files" if self.shared else self.files_path) / "sandboxes"

    @property
    def run_dir(self) -> Path:
        """Where the sandboxes' sockets are: a short path of our own, because a socket's path has at most 107 bytes."""
        name = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:12]
        base = os.environ.get("XDG_RUNTIME_DIR") or ("/run" if os.getuid() == 0 else tempfile.gettempdir())
        return Path(base) / f"qflow-{name}"
