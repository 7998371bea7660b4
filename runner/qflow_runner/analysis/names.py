"""What the names of a module are bound to when its body has run, read without running it."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

When = Literal["always", "otherwise", "rescue", "typing"]
"""`otherwise`: an alternative to code before it, such as an else branch. `rescue`: only after an exception.
`typing`: only type checkers see it."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Binding:
    kind: Literal["def", "class", "import", "value", "other"]
    node: ast.stmt
    value: ast.expr | None = None
    qualified: str = ""
    when: When = "always"


@dataclass
class Names:
    """`bound` keeps the order in which names were first bound, as a module's own dict does."""

    bound: dict[str, Binding] = field(default_factory=dict[str, Binding])
    stars: list[str] = field(default_factory=list[str])

    def qualified(self, node: ast.expr | None) -> str:
        """``pd.DataFrame`` as ``pandas.DataFrame``; a name that nothing binds stays; "" for no name."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        binding = self.bound.get(node.id)
        name = node.id
        if binding is not None and binding.kind == "import":
            name = binding.qualified
        elif binding is None and self.stars and not attributes:
            name = f"{self.stars[-1]}.{name}"
        return ".".join([name, *reversed(attributes)])


def names_of(module: ast.Module, python: tuple[int, int]) -> Names:
    names = Names()
    for node, when in statements(module.body, python):
        _bind(names, node, when)
    return names


def statements(body: list[ast.stmt], python: tuple[int, int]) -> Iterator[tuple[ast.stmt, When]]:
    """The statements of a body and of the blocks in it, but not of functions and classes, in their order."""
    stack: list[tuple[ast.stmt, When]] = []
    stack.extend((node, "always") for node in reversed(body))
    while stack:
        node, when = stack.pop()
        yield node, when
        for block, case in reversed(_blocks(node, python)):
            stack.extend((child, case if when == "always" else when) for child in reversed(block))


def _blocks(node: ast.stmt, python: tuple[int, int]) -> list[tuple[list[ast.stmt], When]]:
    if isinstance(node, ast.If):
        return _branches(node, python)
    if isinstance(node, ast.Try | ast.TryStar):
        handlers: list[tuple[list[ast.stmt], When]] = [(h.body, "rescue") for h in node.handlers]
        return [(node.body, "always"), *handlers, (node.orelse, "always"), (node.finalbody, "always")]
    if isinstance(node, ast.With | ast.AsyncWith):
        return [(node.body, "always")]
    if isinstance(node, ast.For | ast.AsyncFor | ast.While):
        return [(node.body, "always"), (node.orelse, "always")]
    if isinstance(node, ast.Match):
        return [(case.body, "otherwise" if at else "always") for at, case in enumerate(node.cases)]
    return []


def _branches(node: ast.If, python: tuple[int, int]) -> list[tuple[list[ast.stmt], When]]:
    truth = _truth(node.test, python)
    if truth is None:
        return [(node.body, "always"), (node.orelse, "otherwise")]
    if truth == "typing":
        return [(node.body, "typing"), (node.orelse, "always")]
    return [(node.body if truth else node.orelse, "always")]


def _truth(test: ast.expr, python: tuple[int, int]) -> bool | Literal["typing"] | None:
    """What a test comes to where that is known before the code runs."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    text = ast.unparse(test) if isinstance(test, ast.Name | ast.Attribute) else ""
    if text.rpartition(".")[2] == "TYPE_CHECKING":
        return "typing"
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand, python)
        return None if inner is None else inner is False or inner == "typing"
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(test, python)
    return None


def _compared(test: ast.Compare, python: tuple[int, int]) -> bool | None:
    left, operator, right = ast.unparse(test.left), test.ops[0], test.comparators[0]
    if left == "__name__" and isinstance(operator, ast.Eq) and isinstance(right, ast.Constant):
        return False  # the module that a definition becomes has a name of its own
    if left not in {"sys.version_info", "version_info", "sys.version_info[:2]"}:
        return None
    try:
        wanted = ast.literal_eval(right)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(wanted, tuple) or not all(isinstance(part, int) for part in wanted):
        return None
    # Some micro version is running: one that is larger than any that a test would name.
    running = python if left.endswith("[:2]") else (*python, sys.maxsize)
    if isinstance(operator, ast.Gt | ast.GtE):
        return running >= wanted if isinstance(operator, ast.GtE) else running > wanted
    if isinstance(operator, ast.Lt | ast.LtE):
        return running < wanted if isinstance(operator, ast.Lt) else running <= wanted
    return None


def _bind(names: Names, node: ast.stmt, when: When) -> None:
    for name, binding in _bindings(names, node, when):
        if when == "always" or name not in names.bound or names.bound[name].when == "typing":
            names.bound[name] = binding
    if isinstance(node, ast.Delete):
        for target in node.targets:
            if isinstance(target, ast.Name):
                names.bound.pop(target.id, None)


def _bindings(names: Names, node: ast.stmt, when: When) -> Iterator[tuple[str, Binding]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, Binding("class" if isinstance(node, ast.ClassDef) else "def", node, when=when)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for local, qualified in _imported(names, node):
            yield local, Binding("import", node, qualified=qualified, when=when)
    elif isinstance(node, ast.Assign):
        yield from _assigned(names, node.targets, node.value, node, when)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield from _assigned(names, [node.target], node.value, node, when)
    elif isinstance(node, ast.AugAssign | ast.For | ast.AsyncFor):
        yield from _others(node.target, node, when)
    elif isinstance(node, ast.With | ast.AsyncWith):
        for target in (item.optional_vars for item in node.items):
            if target is not None:
                yield from _others(target, node, when)


def _imported(names: Names, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Local names, each with what it stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (top, top)
        return
    origin = "." * node.level + (node.module or "")
    dot = "" if origin.endswith(".") else "."
    for alias in node.names:
        if alias.name == "*":
            names.stars.append(origin)
        else:
            yield alias.asname or alias.name, f"{origin}{dot}{alias.name}"


def _assigned(
    names: Names, targets: list[ast.expr], value: ast.expr, node: ast.stmt, when: When
) -> Iterator[tuple[str, Binding]]:
    for target in targets:
        if not isinstance(target, ast.Name):
            yield from _others(target, node, when)
            continue
        named = names.bound.get(value.id) if isinstance(value, ast.Name) else None
        is_function = named is not None and (named.kind == "def" or isinstance(named.value, ast.Lambda))
        # A second name for a function stays with it, whatever becomes of the first.
        yield target.id, named if named and is_function else Binding("value", node, value, when=when)


def _others(target: ast.expr, node: ast.stmt, when: When) -> Iterator[tuple[str, Binding]]:
    for part in ast.walk(target):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id, Binding("other", node, when=when)
