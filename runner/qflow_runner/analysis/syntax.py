"""From text to a syntax tree, also where the node's Python is newer than the one that runs here."""

import ast
import sys
import warnings
from dataclasses import dataclass, field
from typing import Any

from qflow_agent.mistaken import meant_as
from qflow_runner.analysis.model import Finding
from qflow_runner.analysis.source import Source

Place = tuple[int, int]
"""Line from 1 and offset from 0, as in a syntax tree."""


@dataclass(frozen=True)
class TypeParameter:
    """One of ``def f[T: int]``."""

    name: str
    bound: str


@dataclass(frozen=True)
class Tree:
    module: ast.Module
    parameters: dict[Place, tuple[TypeParameter, ...]] = field(default_factory=dict)
    """Type parameters of the function, class or alias that begins there."""
    aliases: frozenset[Place] = frozenset()
    """Where an assignment was a ``type`` statement."""


class Unreadable(Exception):
    """Python cannot read the code."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


_NEVER = (RecursionError, MemoryError, OverflowError)


def parse(source: Source, python: tuple[int, int]) -> Tree:
    """Raises Unreadable."""
    unreadable = source.unreadable()
    if unreadable is not None:
        raise Unreadable(unreadable)
    try:
        module = _parse(source.text)
    except SyntaxError as error:
        if python <= sys.version_info[:2]:
            raise Unreadable(_finding(source, error)) from None
        return _lowered(source, error)
    except ValueError as error:
        raise Unreadable(
            source.finding("error", "syntax", f"The code cannot be read: {error}.", 1, 1)
        ) from None
    except _NEVER:
        raise Unreadable(too_deep(source)) from None
    if sys.version_info >= (3, 12):
        return _with_parameters(module)
    return Tree(module)


def too_deep(source: Source) -> Finding:
    return source.finding(
        "error",
        "too_deep",
        "The code is nested too deeply to be read.",
        1,
        1,
        hint="Split the long expression or the long chain of blocks into parts.",
    )


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an unknown escape in a string: the linter's business
        return ast.parse(text)


def _lowered(source: Source, refusal: SyntaxError) -> Tree:
    # Costs a tenth of a second when first imported, and most code never needs it.
    from qflow_runner.analysis import lower  # noqa: PLC0415

    try:
        lowered = lower.lower(source.text)
        if lowered is None:
            raise Unreadable(_finding(source, refusal))
        return Tree(_parse(lowered.text), lowered.parameters, lowered.aliases)
    except SyntaxError:
        raise Unreadable(_finding(source, refusal)) from None
    except _NEVER:
        raise Unreadable(too_deep(source)) from None


def _finding(source: Source, error: SyntaxError) -> Finding:
    line, column = error.lineno or 1, error.offset or 1
    end = error.end_offset if error.end_lineno == line else None
    message = f"{error.msg[:1].upper()}{error.msg[1:]}."
    text = source.lines[line - 1] if line <= len(source.lines) else ""
    return source.finding("error", "syntax", message, line, max(column, 1), hint=meant_as(text), end=end)


def _with_parameters(module: ast.Module) -> Tree:
    parameters: dict[Place, tuple[TypeParameter, ...]] = {}
    aliases: set[Place] = set()
    node: Any
    for node in ast.walk(module):
        found = getattr(node, "type_params", None)
        if found:
            parameters[node.lineno, node.col_offset] = tuple(
                TypeParameter(p.name, ast.unparse(p.bound) if getattr(p, "bound", None) else "")
                for p in found
            )
    return Tree(_Older(aliases).visit(module), parameters, frozenset(aliases))


class _Older(ast.NodeTransformer):
    """Makes a ``type`` statement an assignment, so that the rest meets one form of alias."""

    def __init__(self, aliases: set[Place]) -> None:
        self._aliases = aliases

    def visit_TypeAlias(self, node: ast.AST) -> ast.AST:
        alias: Any = node
        self._aliases.add((alias.lineno, alias.col_offset))
        return ast.copy_location(ast.Assign([alias.name], alias.value), node)
