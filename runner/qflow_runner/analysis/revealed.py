"""From the text in which pyrefly shows a function's type to the text of our annotations."""

import ast
import re
from dataclasses import dataclass, field
from typing import Protocol

from qflow_runner.analysis.model import Function

PREFIX = "revealed type: "
LONGEST = 20_000
"""Characters of a type that is looked at."""
LITERALS = 60
"""Characters of a Literal that are shown; a longer one becomes the type of its values."""

_CACHE = "_lru_cache_wrapper"
_UNKNOWN = frozenset({"Unknown", "Any", "Self", "Module", "LiteralString"})
_GENERATORS = frozenset({"Generator", "AsyncGenerator"})
_NONE = ast.Constant(None)
_QUALIFIED = re.compile(
    r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\bLiteral\[|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?:@\d+:\d+[-:\d]*)?"""
)
"""Names with their module; texts and literals are matched to be left alone."""


class Naming(Protocol):
    """How classes are written; see foreign.Names. Empty text is a class that is not known."""

    def qualified(self, shown: str) -> str: ...
    def bare(self, name: str) -> str: ...
    def is_foreign(self, shown: str) -> bool: ...


class _AsShown:
    def qualified(self, shown: str) -> str:
        return shown

    def bare(self, name: str) -> str:
        return name

    def is_foreign(self, shown: str) -> bool:
        return not shown


_AS_SHOWN = _AsShown()


@dataclass(frozen=True)
class Revealed:
    returns: str = ""
    """Empty where nothing is known."""
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def revealed(description: str, function: Function, names: Naming = _AS_SHOWN) -> Revealed:
    text = description.removeprefix(PREFIX).strip()
    if len(text) > LONGEST:
        return Revealed()
    text = _named(text, names)
    if text.startswith(f"{_CACHE}["):
        return Revealed(_text(text[len(_CACHE) + 1 : -1], function, names))
    if text.startswith("["):  # [T](x: T) -> T
        text = text[_closing(text, 0) + 1 :]
    if not text.startswith("("):
        return Revealed()
    end = _closing(text, 0)
    arrow, returns = text[end + 1 :][:4], text[end + 5 :]
    if arrow != " -> ":
        return Revealed()
    parameters: dict[str, str] = {}
    for part in _split(text[1:end]):
        name, colon, rest = part.partition(": ")
        if colon and not name.startswith("*"):
            found = _text(_split(rest, " = ")[0], function, names, default=True)
            if found:
                parameters[name] = found
    return Revealed(_text(returns, function, names), parameters)


def _text(text: str, function: Function, names: Naming, *, default: bool = False) -> str:
    """A type in our grammar; empty where nothing of it is known."""
    try:
        node = ast.parse(_without_callables(text.strip()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    if not default:
        node = _result(node, function)
    if default and isinstance(node, ast.BinOp):
        # What else a caller passes is unknown, which says nothing: the default's own type is what there is.
        known = [member for member in _members(node) if not _is_unknown(member)]
        if all(isinstance(member, ast.Constant) for member in known):
            return ""  # None alone
        node = _union(known)
    if _is_unknown(node):
        return ""
    shown = ast.unparse(_Ours(names, widen=default).visit(node))
    return "" if shown == "Any" or (default and shown == "None") else shown


def _result(node: ast.expr, function: Function) -> ast.expr:
    """What a run of the function gives: an async one is awaited."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and function.is_async:
        arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if node.value.id in {"Coroutine", "CoroutineType"} and len(arguments) == 3:
            return arguments[2]
    return node


class _Ours(ast.NodeTransformer):
    """Unknown becomes Any, and Literal inside a container the type of its value."""

    def __init__(self, names: Naming, *, widen: bool) -> None:
        self._names = names
        self._widen = widen

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in _UNKNOWN:
            return ast.Name("Any")
        if node.id == "_GeneratorContextManager":
            return ast.Name("AbstractContextManager")
        return ast.Name(self._names.bare(node.id) or "Any")

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        name = node.value.id if isinstance(node.value, ast.Name) else ""
        if name == "Literal":
            return _widened(node) if self._widen or len(ast.unparse(node)) > LITERALS else _literal(node)
        if name == "Module":
            return ast.Name("Any")
        inner = _Ours(self._names, widen=True)
        arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        arguments = [inner.visit(argument) for argument in arguments]
        if name in _GENERATORS:
            arguments = _generator(name, arguments)
        slice_ = arguments[0] if len(arguments) == 1 else ast.Tuple(arguments)
        value = self.visit(node.value)
        return value if isinstance(value, ast.Name) and value.id == "Any" else ast.Subscript(value, slice_)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        unique: dict[str, ast.expr] = {}
        for member in _members(node):
            ours = self.visit(member)
            unique.setdefault(ast.unparse(ours), ours)
        return _union(list(unique.values()))


def _generator(name: str, arguments: list[ast.expr]) -> list[ast.expr]:
    """All parameters, for Pythons where none has a default; nothing is sent to the generators of a node."""
    count = 3 if name == "Generator" else 2
    filled = [*arguments, *[_NONE] * count][:count]
    return [filled[0], *(_NONE if _is_unknown(argument) else argument for argument in filled[1:])]


def _literal(node: ast.Subscript) -> ast.expr:
    values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return _widened(node) if any(_kind(value) == "bytes" for value in values) else node


def _widened(node: ast.Subscript) -> ast.expr:
    values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return _union([ast.Name(kind) for kind in dict.fromkeys(_kind(value) for value in values)])


def _kind(value: ast.expr) -> str:
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    if isinstance(value, ast.Constant):
        return "None" if value.value is None else type(value.value).__name__
    return ast.unparse(value.value) if isinstance(value, ast.Attribute) else "Any"  # Literal[Color.RED]


def _members(node: ast.expr) -> list[ast.expr]:
    found: list[ast.expr] = []
    while isinstance(node, ast.BinOp):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]


def _union(members: list[ast.expr]) -> ast.expr:
    union = members[0]
    for member in members[1:]:
        union = ast.BinOp(union, ast.BitOr(), member)
    return union


def _is_unknown(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _UNKNOWN


def _named(text: str, names: Naming) -> str:
    """With the names that stand for classes, and a package's class without the arguments that only it explains."""
    parts: list[str] = []
    at = 0
    while match := _QUALIFIED.search(text, at):
        shown, end = match.group(), match.end()
        parts.append(text[at : match.start()])
        if shown == "Literal[":
            end = _closing(text, end - 1)
            shown = text[match.start() : end].replace("qflow_code.", "")
        elif shown[0] not in "'\"":
            if names.is_foreign(shown) and text.startswith("[", end):
                end = _closing(text, end) + 1
            shown = names.qualified(shown) or "Unknown"
        parts.append(shown)
        at = end
    return "".join((*parts, text[at:]))


_PAIRS = {"(": ")", "[": "]", "{": "}"}


def _without_callables(text: str) -> str:
    """A callable is shown as ``(x: int) -> str``, which is no expression of Python."""
    at = 0
    while (at := text.find("(", at)) >= 0:
        end = _closing(text, at)
        if text.startswith(" -> ", end + 1):
            after = end + 5
            while after < len(text) and text[after] not in ",)]":
                after = (_closing(text, after) if text[after] in _PAIRS else after) + 1
            text = f"{text[:at]}Callable[..., Any]{text[after:]}"
        at += 1
    return text


def _closing(text: str, start: int) -> int:
    """The index of the bracket that closes the one at `start`; the last index if none does."""
    depth = 0
    quote = ""
    at = start
    while at < len(text):
        c = text[at]
        if quote:
            at += c == "\\"
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in _PAIRS:
            depth += 1
        elif c in _PAIRS.values():
            depth -= 1
            if not depth:
                return at
        at += 1
    return len(text) - 1


def _split(text: str, separator: str = ", ") -> list[str]:
    """At the separators that stand in no bracket and in no text."""
    parts: list[str] = []
    begin = at = 0
    while at < len(text):
        if text[at] in _PAIRS:
            at = _closing(text, at)
        elif text[at] in "'\"":
            at = _closing_quote(text, at)
        elif text.startswith(separator, at):
            parts.append(text[begin:at])
            begin = at + len(separator)
        at += 1
    return [*parts, text[begin:]]


def _closing_quote(text: str, start: int) -> int:
    at = start + 1
    while at < len(text) and text[at] != text[start]:
        at += 2 if text[at] == "\\" else 1
    return at
