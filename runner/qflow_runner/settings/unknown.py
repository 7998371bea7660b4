"""Variables that are meant as settings and are none: misspelt, or of another version. They have no effect."""

import difflib
from collections.abc import Mapping

from qflow_runner.settings import Settings

PREFIX = "QFLOW_"
NEAR = 0.75


def unknown_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Their names, each with what to do about it."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name.upper(): name for name in environment}
    found: dict[str, str] = {}
    for upper, name in given.items():
        if upper.startswith(PREFIX) and upper not in known:
            near = difflib.get_close_matches(upper, known, n=1, cutoff=NEAR)
            found[name] = (
                f"It may be meant as {near[0]}." if near else "`qflow settings` names those that there are."
            )
    return found
