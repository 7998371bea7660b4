"""Requirements that were pasted as TOML: a pyproject or its part, or a script's header."""

import re
import tomllib
from typing import Any

from qflow_runner.errors import RequirementInvalid

_TOML = re.compile(r"""(?m)^\s*(\[{1,2}[\w."'\- ]+\]{1,2}\s*(#.*)?$|dependencies\s*=|requires-python\s*=)""")


def as_toml(text: str) -> list[str] | None:
    """The entries of its dependencies; None when the text is no TOML. Raises RequirementInvalid."""
    text = _header(text) or text
    if not _TOML.search(text):
        return None
    try:
        content: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RequirementInvalid(
            f"The requirements look like TOML, and cannot be read as such: {error}.",
            hint="Paste the whole block, or write one requirement a line.",
        ) from None
    project = content.get("project", content)
    tool = content.get("tool", {})
    if isinstance(tool, dict) and "poetry" in tool and "dependencies" not in project:
        raise RequirementInvalid(
            "Poetry's own form of dependencies is not read.",
            hint='Write them as pandas>=2,<3 and not as pandas = "^2", or paste what `poetry export` prints.',
        )
    listed = project.get("dependencies") if isinstance(project, dict) else None
    if listed is None:
        raise RequirementInvalid(
            "The TOML has no list of dependencies.",
            hint='Paste the part [project] with its dependencies = ["…"], or write one requirement a line.',
        )
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        raise RequirementInvalid("The dependencies are no list of texts.")
    return listed


def _header(text: str) -> str:
    """The TOML in a script's header (PEP 723); empty without one."""
    rows = [row.rstrip() for row in text.splitlines()]
    if "# /// script" not in rows:
        return ""
    inner: list[str] = []
    for row in rows[rows.index("# /// script") + 1 :]:
        if row == "# ///" or not row.startswith("#"):
            break
        inner.append(row[2:])
    return "\n".join(inner) + "\n"
