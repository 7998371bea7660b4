"""The code as text: its lines as Python counts them, and excerpts with a caret."""

import ast
import re

from qflow_runner.analysis.model import Finding, Severity

WIDTH = 100
"""Characters of a line that an excerpt shows."""

_UNREADABLE = re.compile("[\0\ud800-\udfff]")


class Source:
    """Text with one kind of line end and no byte order mark, so that every tool counts lines alike."""

    def __init__(self, code: str) -> None:
        self.text = code.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        self.lines = self.text.split("\n")

    def unreadable(self) -> Finding | None:
        """The first character that no Python reads and no file can hold, or None."""
        found = _UNREADABLE.search(self.text)
        if found is None:
            return None
        line = self.text.count("\n", 0, found.start()) + 1
        column = found.start() - (self.text.rfind("\n", 0, found.start()) + 1) + 1
        what = "a null character" if found.group() == "\0" else "half of a surrogate pair"
        return self.finding(
            "error", "syntax", f"The code has {what} in line {line}.", line, column, hint="Remove it."
        )

    def excerpt(self, line: int, column: int, end: int | None = None) -> str:
        """The line with a caret under `column`, or carets up to before column `end`; empty outside the code."""
        if not 1 <= line <= len(self.lines):
            return ""
        text = self.lines[line - 1]
        column = min(max(column, 1), len(text) + 1)
        end = min(max(end or 0, column + 1), max(len(text), column) + 1)
        start = 0
        if len(text) > WIDTH:
            start = max(0, min(column - 1 - WIDTH // 2, len(text) - WIDTH))
        shown = text[start : start + WIDTH]
        # A tab stays one in the line below, so the caret stands where it belongs however wide tabs are.
        gap = re.sub(r"[^\t]", " ", shown[: column - 1 - start])
        carets = "^" * max(1, min(end, start + len(shown) + 1) - column)
        before, after = "…" if start else "", "…" if start + WIDTH < len(text) else ""
        return printable(f"{before}{shown}{after}\n{' ' if start else ''}{gap}{carets}")

    def finding(
        self,
        severity: Severity,
        code: str,
        message: str,
        line: int,
        column: int,
        *,
        hint: str = "",
        end: int | None = None,
    ) -> Finding:
        return Finding(
            severity, code, printable(message), hint, line, column, self.excerpt(line, column, end)
        )

    def column(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        """From 1, in characters: Python counts the bytes of UTF-8."""
        return self._characters(node.lineno, node.col_offset) + 1

    def segment(self, node: ast.expr | ast.stmt | ast.arg) -> str:
        """The source of a node on one line."""
        if node.lineno != node.end_lineno:
            return printable(ast.unparse(node))
        start = self._characters(node.lineno, node.col_offset)
        end = self._characters(node.lineno, node.end_col_offset or 0)
        return printable(self.lines[node.lineno - 1][start:end])

    def _characters(self, line: int, offset: int) -> int:
        text = self.lines[line - 1]
        return offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))


_CONTROL = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "�")


def printable(text: str) -> str:
    """Without characters that would move a terminal's cursor or that JSON cannot carry."""
    return text.translate(_CONTROL).encode(errors="replace").decode()


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
