"""How the API is reached, by whom, how often, and what is noted of that."""

import re
import ssl
from pathlib import Path
from typing import Annotated, Any

from pydantic import field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from qflow_runner.settings.table import setting

Listed = Annotated[list[str], NoDecode]


class AccessSettings(BaseSettings):
    tls_cert: Path | None = setting(
        None,
        "path",
        "Certificate with its chain, PEM: the runner then speaks HTTPS alone; read again when it changes",
    )
    tls_key: Path | None = setting(None, "path", "Private key of QFLOW_TLS_CERT, PEM, without a passphrase")
    allowed_hosts: Listed = setting(
        list,
        "names",
        "Names by which the runner may be called. On loopback its own names always may; beyond it any may, unless this is set",
    )
    cors_origins: Listed = setting(
        list,
        "origins",
        "Pages that may call the API from a browser, as in https://ops.example.org; none when empty",
    )
    rate_per_s: float = setting(
        500.0,
        "calls per second",
        "Calls of one token, other than runs and their files; 0 bounds nothing",
        ge=0,
    )
    run_rate_per_s: float = setting(
        0.0, "calls per second", "Runs, and calls for their files, of one token; 0 bounds nothing", ge=0
    )
    body_stall_s: float = setting(
        30.0, "seconds", "How long a caller may send nothing of a body that it announced", gt=0
    )
    audit_days: float = setting(365.0, "days", "How long the audit log is kept", ge=1)

    @field_validator("allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _entries(cls, value: Any) -> Any:
        """Separated by commas, spaces or lines."""
        return [each for each in re.split(r"[\s,]+", value) if each] if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", name):
                raise ValueError(f"'{name}' is not the name of a host: leave out the scheme and the port")
        return [name.lower().strip("[]") for name in value]

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
                raise ValueError(
                    f"'{origin}' is no origin: write scheme, host and port, and no path, as a browser does"
                )
        return [origin.lower() for origin in value]

    @model_validator(mode="after")
    def _certificate_and_key(self) -> "AccessSettings":
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("QFLOW_TLS_CERT and QFLOW_TLS_KEY belong together: set both, or none")
        if self.tls_cert is not None and self.tls_key is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                    self.tls_cert, self.tls_key, _no_passphrase
                )
            except (OSError, ValueError) as error:
                raise ValueError(f"QFLOW_TLS_CERT and QFLOW_TLS_KEY cannot be used: {error}") from None
        return self


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")
