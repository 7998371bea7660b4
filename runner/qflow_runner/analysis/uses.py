"""What the code imports and which known names it uses, with their places: what a policy is judged by. Runs in the worker.

Read from the text alone. Code that wants to hide what it does can: this is for people who did not think of it.
"""

import ast
from collections.abc import Iterator

from qflow_runner.analysis.dangers import danger_of
from qflow_runner.analysis.model import Use
from qflow_runner.analysis.source import Source

MOST = 500
"""Uses that are kept of one node's code."""


def uses_of(module: ast.Module, source: Source) -> tuple[Use, ...]:
    """Each import and each dangerous name once per line, in the order of the code."""
    nodes = list(ast.walk(module))
    bound = _bound(nodes)
    found: dict[tuple[str, int], Use] = {}
    for node in nodes:
        for kind, name, why in (*_imported(node), *_dangerous(node, bound)):
            place = (name, node.lineno)  # type: ignore[attr-defined] - only of nodes that have a place
            if place not in found and len(found) < MOST:
                column = source.column(node)  # type: ignore[arg-type] - likewise
                excerpt = source.excerpt(node.lineno, column)  # type: ignore[attr-defined] - likewise
                found[place] = Use(kind, name, why, node.lineno, column, excerpt)  # type: ignore[attr-defined, arg-type]
    return tuple(sorted(found.values(), key=lambda use: (use.line, use.column)))


def _bound(nodes: list[ast.AST]) -> dict[str, str]:
    """Names that imports bind anywhere in the code, with what they stand for."""
    bound: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                bound[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            bound.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return bound


def _imported(node: ast.AST) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield "import", alias.name, ""
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            yield "import", f"{node.module}.{alias.name}" if alias.name != "*" else node.module, ""


def _dangerous(node: ast.AST, bound: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, ast.Call):
        name = _qualified(node.func, bound)
        if name in {"__import__", "importlib.import_module", "builtins.__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield "import", first.value, ""
            else:
                yield "call", name, "what it imports is not to be read from the code"
            return
    if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        name = _qualified(node, bound)
        why = danger_of(name)
        if why:
            yield "call", name, why


def _qualified(node: ast.expr, bound: dict[str, str]) -> str:
    """``s.check_output`` as ``subprocess.check_output`` after ``import subprocess as s``."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([bound.get(node.id, node.id), *reversed(attributes)])
    # Of anything else, such as the result of a call, its last attribute still tells something.
    return f"?.{attributes[0]}" if attributes else ""
