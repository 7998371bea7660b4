"""How a setting is written down: one row of a table, with its unit and what it is for."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field


def setting(default: Any, unit: str, help: str, **rules: Any) -> Any:  # noqa: A002
    """One row of the table; a callable default is asked each time."""
    rules |= {"description": help, "json_schema_extra": {"unit": unit}}
    return Field(default_factory=default, **rules) if callable(default) else Field(default=default, **rules)


def state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "qflow"
