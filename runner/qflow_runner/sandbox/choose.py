"""The backend that the settings name."""

from qflow_runner.sandbox.backend import Backend
from qflow_runner.settings import Settings


def choose_backend(settings: Settings, identity: str) -> Backend:
    """Docker unless `process` was asked for by name: a machine without Docker is told so, never downgraded."""
    if settings.backend == "process":
        from qflow_runner.sandbox.process import ProcessBackend  # noqa: PLC0415 - each backend alone

        return ProcessBackend(settings.cache_dir)
    from qflow_runner.sandbox.docker import DockerBackend  # noqa: PLC0415

    return DockerBackend(identity, settings.docker_runtime, settings.docker_mounts)
