"""Where packages come from, how much room they get, and what is known against them."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from qflow_runner.settings.table import setting, state_home


def _layers_home(given: dict[str, Any]) -> Path:
    return Path(given.get("data_dir") or state_home()) / "layers"


class PackageSettings(BaseSettings):
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

    @field_validator("advisories_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname)
        if not is_http or not value.isprintable() or " " in value:
            raise ValueError("an address starts with http:// or https:// and the name of a host")
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
