"""Where the runner listens, who may call it, how much at once, and what it says of itself."""

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from qflow_runner.settings.table import setting


class ServingSettings(BaseSettings):
    host: str = setting(
        "127.0.0.1", "address", "Where the runner listens; beyond loopback QFLOW_TOKEN must be set"
    )
    port: int = setting(8717, "port", "TCP port of the runner; 0 takes a free one", ge=0, le=65535)
    token: SecretStr | None = setting(
        None, "text", "Bearer token of the API; without it one is made at the first start and printed once"
    )
    max_body_mb: int = setting(256, "MB (2^20 bytes)", "Largest request, and largest result of a run", ge=1)
    runs_max: int = setting(
        64, "count", "Runs at the same time; others wait before their items are read", ge=1
    )
    runs_per_workflow: int = setting(
        16, "count", "Runs of one workflow at the same time: they share its sandbox", ge=1
    )
    queue_max: int = setting(1000, "count", "Runs that may wait; more are told 'busy' at once", ge=0)
    queue_per_workflow: int = setting(500, "count", "Runs of one workflow that may wait", ge=0)
    bodies_mb: int = setting(
        512, "MB (2^20 bytes)", "Items of all runs in the runner's memory; what comes on top waits", ge=1
    )
    drain_s: float = setting(30.0, "seconds", "How long runs may finish after SIGTERM", ge=0)
    log_format: Literal["console", "json"] = setting(
        "console", "name", "How log events are written to stderr"
    )
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = setting(
        "info", "level", "The least serious event that is logged"
    )

    @field_validator("port", mode="before")
    @classmethod
    def _a_number_of_ours(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("tcp://"):
            raise ValueError(
                "Kubernetes made this variable of a Service named qflow: set enableServiceLinks: false for the pod"
            )
        return value

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

    @model_validator(mode="after")
    def _token_beyond_loopback(self) -> "ServingSettings":
        if self.token is not None and len(self.token.get_secret_value()) < 16:
            raise ValueError("QFLOW_TOKEN must have at least 16 characters")
        if self.token is None and not self.loopback:
            raise ValueError(
                f"QFLOW_HOST={self.host} can be reached from other machines: set QFLOW_TOKEN to a secret of your own"
            )
        return self
