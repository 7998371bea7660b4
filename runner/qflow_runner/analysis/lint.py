"""What ruff finds in the code: syntax that the node's Python cannot read, undefined names, plain mistakes."""

import builtins
import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from qflow_agent.dialects import VARIABLES
from qflow_runner.analysis import tool
from qflow_runner.analysis.distributions import DISTRIBUTIONS
from qflow_runner.analysis.model import Analysis, Finding, Severity
from qflow_runner.analysis.source import Source
from qflow_runner.analysis.stdlib import is_standard

FINDINGS = 50
"""Findings of one analysis; who has more mends these first."""

_ERROR, _WARNING = "error", "warning"
_SEVERITIES: dict[str, Severity] = {
    "F402": _WARNING,  # an import that a loop variable hides
    "F404": _ERROR,  # a late __future__ import
    "F407": _ERROR,
    "F50": _WARNING,  # format strings that do not fit their values
    "F52": _WARNING,
    "F601": _WARNING,
    "F632": _WARNING,  # x is "text"
    "F63": _WARNING,
    "F7": _ERROR,  # break outside a loop and the like
    "F811": _WARNING,  # a second definition of the same name
    "F821": _ERROR,  # undefined names
    "F822": _WARNING,
    "F823": _ERROR,
    "B006": _WARNING,  # a default that calls share, and a session serves many
    "PLE": _WARNING,
}
_RISKS = (
    *("S102", "S103", "S105", "S106", "S107", "S113", "S202", "S301", "S302", "S307", "S323"),
    *("S501", "S502", "S503", "S504", "S505", "S506", "S507", "S508", "S509"),
    *("S602", "S604", "S605", "S609", "S611", "S612", "S701", "S702"),
)
"""Ruff's security rules, those that are wrong seldom enough to be shown to whoever writes a node."""
_HINTS = {
    "B006": "All calls of one execution share this object. Use None, and make it in the function.",
    "F632": "Use == to compare values.",
    "F811": "Only the last definition counts: give one of them another name.",
    "F823": "A name that a function assigns anywhere is its own everywhere. Declare it global, or rename it.",
}
_BODY = frozenset({"F704", "F706", "PLE1142"})
"""Return, yield and await outside a function, which are a script's right."""

_TOO_NEW = re.compile(r"on Python [\d.]+ \(syntax was")
_NAME = re.compile(r"`([^`]+)`")


class Lint:
    """Ruff's findings, before they are weighed against what else is known of the code."""

    def __init__(self, rows: list[dict[str, Any]], failed: str = "") -> None:
        self._rows = rows
        self.failed = failed

    def too_new(self, source: Source) -> list[Finding]:
        """Syntax that came after the node's Python."""
        rows = [row for row in self._syntax() if _TOO_NEW.search(row["message"])]
        hint = "Choose a newer Python in the node, or write it in the older way."
        return [_finding(row, source, "error", "syntax_too_new", hint) for row in rows]

    def syntax(self, source: Source) -> list[Finding]:
        rows = [row for row in self._syntax() if not _TOO_NEW.search(row["message"])]
        return [_finding(row, source, "error", "syntax") for row in rows]

    def rest(self, source: Source, analysis: Analysis) -> list[Finding]:
        """Findings about code that can be read."""
        found: list[Finding] = []
        for row in self._rows:
            code = row["code"] or ""
            name = match.group(1) if (match := _NAME.search(row["message"])) else ""
            if (
                code == "invalid-syntax"
                or code in _RISKS
                or (analysis.script and (code in _BODY or name in VARIABLES))
            ):
                continue
            if code == "F811" and name in analysis.scope.imports:
                continue  # imported twice, which harms nobody
            hint = _unbound(name, analysis) if code == "F821" else _HINTS.get(code, "")
            found.append(_finding(row, source, _severity(code), code, hint))
        return found

    def risks(self, source: Source) -> list[Finding]:
        """Of the security rules."""
        rows = [row for row in self._rows if row["code"] in _RISKS]
        return [_finding(row, source, "warning", row["code"]) for row in rows]

    def _syntax(self) -> Iterable[dict[str, Any]]:
        return (row for row in self._rows if row["code"] in {"invalid-syntax", None})


async def lint(source: Source, python: str, deadline: float) -> Lint:
    """Never raises: `failed` of the answer says why there are no findings."""
    arguments = [
        *(
            "check",
            "--isolated",
            "--no-cache",
            "--output-format",
            "json-lines",
            "--stdin-filename",
            "code.py",
        ),
        *(
            "--target-version",
            "py" + python.replace(".", ""),
            "--select",
            ",".join((*_SEVERITIES, *_RISKS)),
            "-",
        ),
    ]
    try:
        output = await tool.run(
            "ruff", arguments, deadline=deadline, stdin=source.text.encode(errors="replace")
        )
        # Large code may have a hundred thousand findings: no more are parsed than are shown.
        lines = output.split(b"\n", FINDINGS)[:FINDINGS]
        return Lint([json.loads(line) for line in lines if line])
    except tool.ToolFailed as error:
        return Lint([], str(error))
    except ValueError:
        return Lint([], "ruff gave no answer")


def _finding(row: dict[str, Any], source: Source, severity: Severity, code: str, hint: str = "") -> Finding:
    line, column = row["location"]["row"], row["location"]["column"]
    end = row["end_location"]["column"] if row["end_location"]["row"] == line else None
    message = row["message"].rstrip(".")
    return source.finding(
        severity, code, f"{message[:1].upper()}{message[1:]}.", line, column, hint=hint, end=end
    )


def _severity(code: str) -> Severity:
    fitting = [prefix for prefix in _SEVERITIES if code.startswith(prefix)]
    return _SEVERITIES[max(fitting, key=len)] if fitting else _WARNING


def _unbound(name: str, analysis: Analysis) -> str:
    """What an undefined name was probably meant to be."""
    if is_standard(name) or name in DISTRIBUTIONS:
        return f"Add: import {name}"
    scope = analysis.scope
    known = {function.name for function in analysis.functions} | set(dir(builtins))
    known.update(scope.classes, scope.aliases, scope.imports, scope.variables)
    close = difflib.get_close_matches(name, known, 1, 0.75)
    return f"Did you mean {close[0]}?" if close else ""
