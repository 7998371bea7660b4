"""What a docstring says of a function, of each parameter and of the result: Google, NumPy and reST style."""

from dataclasses import dataclass, field

import docstring_parser
from docstring_parser import ParseError

READ = 10_000
"""Characters of a docstring that are looked at; a longer text describes more than a function."""


@dataclass(frozen=True)
class Told:
    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    returns: str = ""


def read(text: str) -> Told:
    text = text[:READ].strip()
    if not text:
        return Told()
    try:
        found = docstring_parser.parse(text)
    except ParseError:
        return Told(text)
    parameters: dict[str, str] = {}
    for parameter in found.params:
        for name in parameter.arg_name.split(","):  # NumPy style describes two parameters in one entry
            parameters.setdefault(name.strip().lstrip("*"), _line(parameter.description))
    result = found.returns or (found.many_returns[0] if found.many_returns else None)
    return Told((found.description or "").strip(), parameters, _line(result.description if result else None))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
