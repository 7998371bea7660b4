"""Reads annotations: evaluates those written as text, takes wrappers off, and says them as they were written."""

import ast
import sys
import typing
from typing import Any, Dict, List, Optional, Tuple

from qflow_agent.generics import substituted, variables

Scope = Dict[str, Any]
"""The globals of the module in which an annotation stands."""

UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda _self: "unknown"})()
"""Stands for no annotation, and for one that cannot be resolved."""

_WRAPPERS = ("Annotated", "Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
_GENERIC = {
    "list": "List",
    "dict": "Dict",
    "tuple": "Tuple",
    "set": "Set",
    "frozenset": "FrozenSet",
    "type": "Type",
}


def resolve(annotation: Any, scope: Scope, metadata: Optional[List[Any]] = None) -> Any:
    """The type that `annotation` means, without wrappers such as Annotated, or UNKNOWN.

    What stands in Annotated beside the type is appended to `metadata`.
    """
    for _ in range(20):  # a wrapper may hold text, and text a wrapper; aliases may even go in circles
        annotation = _evaluated(annotation, scope)
        if annotation is None:
            return type(None)
        if metadata is not None:
            metadata.extend(_beside(annotation))
        inner = _unwrap(annotation)
        if inner is annotation:
            return annotation
        annotation = inner
    return UNKNOWN


def wrapper_of(annotation: Any, scope: Scope) -> str:
    """``Required`` or ``NotRequired`` where a field of a TypedDict is wrapped in one, else an empty string."""
    name = _name(typing.get_origin(_evaluated(annotation, scope)))
    return name if name in ("Required", "NotRequired") else ""


def written(annotation: Any) -> str:
    """The annotation as its author wrote it, near enough."""
    if annotation is UNKNOWN:
        return "unknown"
    if isinstance(annotation, (str, typing.ForwardRef)):
        return _text(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        package = annotation.__module__.partition(".")[0]
        if package in ("builtins", "typing", "collections", "__main__") or package.startswith("qflow_"):
            return annotation.__qualname__
        return "%s.%s" % (package, annotation.__qualname__)
    text = repr(annotation)
    for noise in ("typing.", "collections.abc.", "NoneType"):
        text = text.replace(noise, "None" if noise == "NoneType" else "")
    return _without_module(text)


def many_by_name(annotation: Any) -> bool:
    """Whether text that could not be resolved names a table all the same, as under ``if TYPE_CHECKING``."""
    return isinstance(annotation, str) and annotation.strip().rpartition(".")[2] == "DataFrame"


def class_hints(cls: type, arguments: Tuple[Any, ...]) -> Dict[str, Tuple[Any, Scope]]:
    """The annotations of `cls[arguments]` and its bases, each with the scope that it stands in.

    Text is evaluated only where variables of a class may stand in it.
    """
    hints: Dict[str, Tuple[Any, Scope]] = {}
    known = variables(cls, arguments)
    for base in reversed(cls.__mro__):
        scope = dict(getattr(sys.modules.get(base.__module__), "__dict__", {}))
        scope.setdefault(base.__name__, base)  # a class made in a function may mention itself
        scope.update({each.__name__: each for each in getattr(base, "__type_params__", ())})
        stand_for = known.get(base, {})
        for name, annotation in _own_annotations(base).items():
            if stand_for:
                annotation = substituted(_evaluated(annotation, scope), stand_for)
            hints[name] = (annotation, scope)
    return hints


def _own_annotations(cls: type) -> Dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - Python 3.8 has nothing else


def _beside(annotation: Any) -> Any:
    beside = getattr(annotation, "__metadata__", ()) if typing.get_origin(annotation) is not None else ()
    return beside if isinstance(beside, tuple) else ()


def _unwrap(annotation: Any) -> Any:
    origin = typing.get_origin(annotation)
    if _name(origin) in _WRAPPERS:
        return typing.get_args(annotation)[0]
    if hasattr(annotation, "__metadata__") and origin is not None:
        return annotation.__origin__  # Annotated of typing_extensions, before Python 3.9
    if hasattr(annotation, "__supertype__"):
        return annotation.__supertype__  # NewType
    if _name(type(annotation)) == "TypeAliasType":
        return annotation.__value__
    if _name(type(origin)) == "TypeAliasType":
        return origin.__value__[typing.get_args(annotation)]
    if isinstance(annotation, typing.TypeVar):
        return annotation.__bound__ or UNKNOWN
    if _name(type(annotation)) == "InitVar":
        return annotation.type
    return annotation


def _name(thing: Any) -> str:
    name = getattr(thing, "_name", None) or getattr(thing, "__name__", None)
    return name if isinstance(name, str) else ""


def _evaluated(annotation: Any, scope: Scope) -> Any:
    """What stands as text, evaluated; all else as it is."""
    is_text = isinstance(annotation, (str, typing.ForwardRef))
    return _evaluate(_text(annotation), scope) if is_text else annotation


def _text(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else str(annotation.__forward_arg__)


def _evaluate(text: str, scope: Scope) -> Any:
    try:
        tree: Any = ast.parse(text.strip(), mode="eval")
        if sys.version_info < (3, 10):
            tree = ast.fix_missing_locations(_Modern().visit(tree))
        return eval(compile(tree, "<annotation>", "eval"), scope, {"__qflow_typing__": typing})
    except Exception:
        return UNKNOWN  # a name that only a type checker sees, or a mistake: the parameter goes unchecked


class _Modern(ast.NodeTransformer):
    """Lets Python 3.8 and 3.9 evaluate ``list[int]`` and ``int | None``, which they only carry as text."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if not isinstance(node.op, ast.BitOr):
            return node
        members: List[Any] = [self.visit(node.left), self.visit(node.right)]
        return self._subscript("Union", ast.Tuple(members, ast.Load()))

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in _GENERIC:
            node.value = self._typing(_GENERIC[node.value.id])
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return node

    def _subscript(self, name: str, arguments: ast.expr) -> ast.AST:
        index: Any = arguments
        if sys.version_info < (3, 9):
            index = ast.Index(arguments)
        return ast.Subscript(self._typing(name), index, ast.Load())

    @staticmethod
    def _typing(name: str) -> ast.expr:
        return ast.Attribute(ast.Name("__qflow_typing__", ast.Load()), name, ast.Load())


def _without_module(text: str) -> str:
    import re

    return re.sub(r"\bqflow_code_\w+\.|<class '([\w.]+)'>|ForwardRef\('([^']*)'\)", r"\1\2", text)
