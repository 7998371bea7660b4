"""What a line that is no Python may have been meant as, for people who bring it from elsewhere."""

import re
from typing import Tuple

LONGEST = 500
"""Characters of the line that are looked at."""

_KNOWN: Tuple[Tuple[str, str], ...] = (
    (r"^\s*(```|~~~)", "Remove the lines with ``` around the code: they are of the text that it was copied from."),
    (
        r"^\s*(>>>|In \[\d+\]:)",
        "Remove the prompts before the lines: they are of the console that the code was copied from.",
    ),
    (
        r"^\s*[!%]?\s*(python3? -m )?(uv )?(pip3?|conda)\s+install\b",
        "Packages are installed by themselves: import them, or name them in Requirements.",
    ),
    (r"^\s*[!%]{1,2}\w", "Commands of notebooks (% and !) do not work here: remove them."),
    (
        r"^\s*(const|let|var)\s+[\w${\[]|^\s*(async\s+)?function\b|\)\s*=>|=>\s*\{|\}\s*else\b|^\s*(for|if|while)\s*\(.*\{\s*$",
        "This looks like JavaScript, which n8n's Code node runs; this node runs Python.",
    ),
    (
        r"\{\{.*\}\}|\$(json|input|node|items|now|today|workflow|execution)\b",
        "Expressions of n8n do not work within the code: give the function a parameter, and map the expression to it.",
    ),
    ("[\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]", "Write straight quotes, ' or \", in the place of typographic ones."),
)  # fmt: skip


def meant_as(line: str) -> str:
    """A sentence on what to do about a line that did not compile; empty where nothing is known."""
    looked_at = line[:LONGEST].rstrip()
    return next((told for pattern, told in _KNOWN if re.search(pattern, looked_at)), "")
