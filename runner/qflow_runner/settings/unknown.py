"""Variables that are meant as settings and are none: misspelt, or of another version. They have no effect."""

import difflib
from collections.abc import Mapping

from qflow_runner.settings import Settings

NEAR = 0.75


def unknown_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Their names, each with what to do about it."""
    prefix = Settings.model_config.get("env_prefix", "")
    known = {prefix + name.upper() for name in Settings.model_fields}
    found: dict[str, str] = {}
    for name in environment:
        upper = name.upper()
        if upper.startswith(prefix) and upper not in known:
            near = difflib.get_close_matches(upper, known, n=1, cutoff=NEAR)
            found[name] = (
                f"It may be meant as {near[0]}." if near else "`qflow settings` names those that there are."
            )
    return found
