"""Reads a type from its text, in the scope of the code that it stands in."""

import ast
from collections.abc import Mapping
from functools import lru_cache

from qflow_runner.types import forms
from qflow_runner.types.forms import ANY, NONE, OBJECT, Type, union
from qflow_runner.types.names import BARE, BARE_ALIASES, CANONICAL
from qflow_runner.types.scope import EMPTY, Scope

MAX_TEXT = 20_000
MAX_DEPTH = 40
MAX_MEMBERS = 500
MAX_NODES = 4_000
"""Parts of one type, with what its aliases stand for: they may double with every step."""

_WRAPPERS = frozenset(
    {"Annotated", "Required", "NotRequired", "ReadOnly", "Final", "ClassVar", "InitVar", "Unpack"}
)


class TypeSyntax(ValueError):
    """Python cannot read the text. `column` counts from 1."""

    def __init__(self, detail: str, column: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.column = column


@lru_cache(maxsize=20_000)
def parse(text: str, scope: Scope = EMPTY) -> Type:
    """Empty text is not known. Raises TypeSyntax only where Python itself cannot read the text."""
    if not text.strip():
        return ANY
    return _Reader(scope, {}, [MAX_NODES]).read(_expression(text), 0)


def parse_bound(text: str, scope: Scope, bound: Mapping[str, Type]) -> Type:
    """The same, with types for the type parameters of a class. Raises TypeSyntax."""
    return _Reader(scope, bound, [MAX_NODES]).read(_expression(text), 0) if text.strip() else ANY


def _expression(text: str) -> ast.expr:
    if len(text) > MAX_TEXT:
        raise TypeSyntax(f"it is longer than {MAX_TEXT} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise TypeSyntax(error.msg, error.offset or 1) from None
    except (RecursionError, MemoryError):
        raise TypeSyntax("it is nested too deeply") from None
    except ValueError as error:
        raise TypeSyntax(str(error)) from None


class _Reader:
    """`expanding` holds the aliases that are being read: one that leads back to itself is not known there."""

    def __init__(
        self,
        scope: Scope,
        bound: Mapping[str, Type],
        nodes: list[int],
        expanding: frozenset[str] = frozenset(),
    ) -> None:
        self._scope = scope
        self._bound = bound
        self._nodes = nodes
        self._expanding = expanding

    def read(self, node: ast.expr, depth: int) -> Type:
        self._nodes[0] -= 1
        if depth > MAX_DEPTH or self._nodes[0] < 0:
            return ANY
        if isinstance(node, ast.Constant):
            return self._constant(node.value, depth)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node, [], depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._union(node, depth)
        if isinstance(node, ast.Subscript):
            inner = node.slice
            arguments = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
            return self._named(node.value, arguments, depth, subscribed=True)
        if isinstance(node, ast.Starred):
            return self.read(node.value, depth + 1)
        return forms.Any(ast.unparse(node)[:60]) if depth < MAX_DEPTH // 2 else ANY

    def _constant(self, value: object, depth: int) -> Type:
        if value is None:
            return NONE
        if isinstance(value, str):
            try:
                return self.read(_expression(value), depth + 1)
            except TypeSyntax:
                return forms.Any(value[:60])
        return ANY

    def _union(self, node: ast.expr, depth: int) -> Type:
        # A long union leans to the left: it is walked down, because its depth is its length.
        members: list[ast.expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            members.append(node.right)
            node = node.left
        members.append(node)
        if len(members) > MAX_MEMBERS:
            return ANY
        return union([self.read(each, depth + 1) for each in reversed(members)])

    def _named(self, node: ast.expr, args: list[ast.expr], depth: int, *, subscribed: bool = False) -> Type:
        dotted = _dotted(node)
        if dotted is None:
            return ANY
        own = self._own(dotted, args, depth)
        if own is not None:
            return own
        name = self._canonical(dotted)
        if name is None:
            return forms.Any(dotted)
        return self._known(name, args, depth, subscribed=subscribed)

    def _own(self, name: str, args: list[ast.expr], depth: int) -> Type | None:
        """What the code itself defines under this name."""
        scope = self._scope
        if name in self._bound:
            return self._bound[name]
        if name in scope.classes:
            info = scope.classes[name]
            return forms.Own(info, scope, tuple(self.read(each, depth + 1) for each in args))
        if name in scope.aliases:
            if name in self._expanding:
                return forms.Any(name)
            try:
                meant = _expression(scope.aliases[name])
            except TypeSyntax:
                return forms.Any(name)
            return _Reader(scope, self._bound, self._nodes, self._expanding | {name}).read(meant, depth + 1)
        if name in scope.variables:
            bound = scope.variables[name]
            if not bound:
                return ANY
            if name in self._expanding:
                return forms.Any(name)
            try:
                return _Reader(scope, self._bound, self._nodes, self._expanding | {name}).read(
                    _expression(bound), depth + 1
                )
            except TypeSyntax:
                return forms.Any(name)
        return None

    def _canonical(self, dotted: str) -> str | None:
        first, _, rest = dotted.partition(".")
        imported = self._scope.imports.get(first)
        if imported is not None:
            qualified = f"{imported}.{rest}" if rest else imported
            return CANONICAL.get(qualified, qualified if "." in qualified else None)
        if rest:
            return CANONICAL.get(dotted, dotted)
        return BARE_ALIASES.get(dotted) or (dotted if dotted in BARE else None)

    def _known(self, name: str, args: list[ast.expr], depth: int, *, subscribed: bool) -> Type:
        if name in {"Any", "TypeAlias"}:
            return ANY
        if name == "object":
            return OBJECT
        if name in {"Never", "NoReturn"}:
            return forms.Never()
        if name == "number":
            return forms.Union((forms.Name("int"), forms.Name("float")))
        if name == "AnyStr":
            return forms.Union((forms.Name("str"), forms.Name("bytes")))
        if name in _WRAPPERS:
            return self.read(args[0], depth + 1) if args else ANY
        if name == "Literal":
            return _literal(args)
        if name in {"Self", "Generic", "Concatenate"}:
            return ANY
        if name in {"TypeGuard", "TypeIs"}:
            return forms.Name("bool")
        if name == "Callable":
            return self._callable(args, depth)
        if len(args) > MAX_MEMBERS:
            return ANY
        if name == "tuple":
            return self._tuple(args, depth, subscribed=subscribed)
        read = [self.read(each, depth + 1) for each in args]
        if name == "Optional":
            return union([*read, NONE]) if read else ANY
        if name == "Union":
            return union(read) if read else ANY
        return forms.Name(name, tuple(read))

    def _tuple(self, args: list[ast.expr], depth: int, *, subscribed: bool) -> Type:
        if not subscribed:
            return forms.Name("tuple")
        if len(args) == 2 and isinstance(args[1], ast.Constant) and args[1].value is Ellipsis:
            return forms.Name("tuple", (self.read(args[0], depth + 1),))
        if len(args) == 1 and isinstance(args[0], ast.Tuple):
            args = list(args[0].elts)
        if any(isinstance(each, ast.Starred) for each in args):
            return forms.Name("tuple")
        return forms.Fixed(tuple(self.read(each, depth + 1) for each in args))

    def _callable(self, args: list[ast.expr], depth: int) -> Type:
        if len(args) != 2:
            return forms.Call(None, ANY)
        result = self.read(args[1], depth + 1)
        if isinstance(args[0], ast.List):
            return forms.Call(tuple(self.read(each, depth + 1) for each in args[0].elts), result)
        return forms.Call(None, result)


def _literal(args: list[ast.expr]) -> Type:
    """The values in their own spelling; an enum's member is left to the run."""
    values: dict[str, None] = {}
    for each in args[:MAX_MEMBERS]:
        try:
            value = ast.literal_eval(each)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return ANY
        values[repr(value)] = None
    return forms.Literal(tuple(values)) if values else ANY


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])
