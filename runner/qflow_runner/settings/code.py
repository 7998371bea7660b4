"""What code may import and do, as advice on top of the sandbox."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode

from qflow_runner.settings.table import setting

Mode = Literal["off", "warn", "block"]


class CodeSettings(BaseSettings):
    code_policy: Mode = setting(
        "warn",
        "name",
        "Imports that are not allowed, and risky calls: not looked for, shown with a warning, or refused",
    )
    imports_allow: Annotated[list[str], NoDecode] = setting(
        list,
        "modules",
        "Modules that code may import, separated by commas; stdlib is the standard library; empty is all",
    )
    imports_deny: Annotated[list[str], NoDecode] = setting(
        list, "modules", "Modules that code may not import, also where they are allowed; separated by commas"
    )
    code_policy_file: Path | None = setting(
        None, "path", "A TOML file with other rules for single workflows; read at start"
    )

    @field_validator("imports_allow", "imports_deny", mode="before")
    @classmethod
    def _split_modules(cls, value: Any) -> Any:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("imports_allow", "imports_deny")
    @classmethod
    def _module_names(cls, value: list[str]) -> list[str]:
        if not all(all(part.isidentifier() for part in each.split(".")) for each in value):
            raise ValueError("each is the name of a module, as numpy or os.path, or stdlib")
        return value
