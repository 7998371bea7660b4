"""How the runner is watched from elsewhere: where its pages are seen, and where its traces go."""

from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings

from qflow_runner.settings.table import setting


class ObservingSettings(BaseSettings):
    public_url: str = setting(
        "",
        "URL",
        "The runner's address as people's browsers see it: runs in n8n then link to their page in the console",
    )
    otlp_endpoint: SecretStr | None = setting(
        None,
        "URL",
        "Where traces go, as OTLP over HTTP: http://collector:4318. Needs the extra `otel`; empty is off",
    )
    disk_free_mb: int = setting(
        1024, "MB (2^20 bytes)", "Free space below which /readyz says that a disk is nearly full", ge=0
    )

    @field_validator("public_url")
    @classmethod
    def _address_of_pages(cls, value: str) -> str:
        url = value.strip().rstrip("/")
        if not url:
            return ""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("it is an address such as https://qflow.example.org")
        if parts.username is not None or parts.password is not None:
            raise ValueError("it is shown to people: leave out the user and the password")
        return url

    @field_validator("otlp_endpoint")
    @classmethod
    def _address_of_collector(cls, value: SecretStr | None) -> SecretStr | None:
        url = value.get_secret_value().strip() if value is not None else ""
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an address of a collector is http://host:4318, or https://")
        _ = parts.port  # raises ValueError where it is no port
        return SecretStr(url)
