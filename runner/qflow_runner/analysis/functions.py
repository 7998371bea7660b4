"""The functions that a node may call, found as the sandbox finds them (qflow_agent/definition.py), and the rule
by which one of them is called when the node names none."""

import ast
from collections.abc import Iterable

from qflow_runner.analysis import docstrings, signatures
from qflow_runner.analysis.model import Finding, Function, Parameter
from qflow_runner.analysis.names import Binding, FunctionNode, Names
from qflow_runner.analysis.source import Source, shortened

DEFAULT_SHOWN = 60
PARAMETERS = 250
"""Parameters that a function is shown with."""

_CACHES = frozenset({"functools.cache", "functools.lru_cache"})
_NO_FUNCTION = frozenset(
    {"property", "functools.cached_property", "typing.overload", "typing_extensions.overload"}
)
_SCALARS: dict[type, str] = {
    int: "int",
    float: "float",
    str: "str",
    bool: "bool",
    bytes: "bytes",
    complex: "complex",
}
_DISPLAYS: dict[type, str] = {
    ast.List: "list[Any]",
    ast.ListComp: "list[Any]",
    ast.Dict: "dict[Any, Any]",
    ast.DictComp: "dict[Any, Any]",
    ast.Set: "set[Any]",
    ast.SetComp: "set[Any]",
    ast.Tuple: "tuple[Any, ...]",
    ast.JoinedStr: "str",
}


def entry_of(functions: Iterable[Function]) -> str:
    public = [function.name for function in functions if not function.name.startswith("_")]
    if len(public) == 1:
        return public[0]
    return "main" if "main" in public else ""


def own_functions(names: Names) -> list[tuple[str, FunctionNode]]:
    """In the order of their names in the module; a function with two names has the first."""
    found: dict[int, tuple[str, FunctionNode]] = {}
    for name, binding in names.bound.items():
        if binding.when in {"typing", "rescue"}:
            continue
        # A cache around a function is a function of its own, with the parameters of the other.
        wrapped = _cached(binding, names)
        node = _node(names, wrapped or name)
        if node is not None:
            found.setdefault(id(binding) if wrapped else id(node), (name, node))
    return list(found.values())


def _node(names: Names, name: str) -> FunctionNode | None:
    binding = names.bound.get(name)
    if binding is None:
        return None
    if binding.kind == "def" and isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
        decorators = {names.qualified(decorator) for decorator in binding.node.decorator_list}
        return None if decorators & _NO_FUNCTION else binding.node
    return binding.value if isinstance(binding.value, ast.Lambda) else None


def _cached(binding: Binding, names: Names) -> str:
    """The name of the function in ``fast = lru_cache(maxsize=9)(slow)``, else ""."""
    call = binding.value
    if isinstance(call, ast.Call) and len(call.args) == 1 and isinstance(call.args[0], ast.Name):
        maker = call.func.func if isinstance(call.func, ast.Call) else call.func
        if names.qualified(maker) in _CACHES:
            return call.args[0].id
    return ""


def function_of(name: str, node: FunctionNode, source: Source) -> Function:
    text = "" if isinstance(node, ast.Lambda) else ast.get_docstring(node) or ""
    told = docstrings.read(text)
    parameters = tuple(_parameters(node.args, told.parameters, source))
    returns = "" if isinstance(node, ast.Lambda) else annotation(node.returns, source)
    return Function(
        name=name,
        line=node.lineno,
        parameters=parameters,
        returns=returns,
        inferred=False,
        doc=told.description,
        returns_doc=told.returns,
        is_async=isinstance(node, ast.AsyncFunctionDef),
        is_generator=is_generator(node),
        takes_extra=node.args.kwarg is not None,
        signature=_signature(name, node, parameters, returns, source),
    )


def untyped(function: Function, node: FunctionNode, source: Source) -> list[Finding]:
    """A finding for each parameter whose type nobody can tell from the code's text."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [
        source.finding(
            "info",
            "untyped",
            untyped_message(function, parameter),
            argument.lineno,
            source.column(argument),
            hint=f"Write one, for example: {parameter.name}: int",
            end=source.column(argument) + len(parameter.name),
        )
        for parameter, argument in zip(function.parameters, arguments, strict=False)
        if not parameter.type
    ]


def untyped_message(function: Function, parameter: Parameter) -> str:
    return f"The parameter '{parameter.name}' of {function.name} has no type, so links to it go unchecked."


def _parameters(arguments: ast.arguments, told: dict[str, str], source: Source) -> Iterable[Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = [
        *zip(positional, [*missing, *arguments.defaults], strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for at, (argument, default) in enumerate(pairs[:PARAMETERS]):
        written = annotation(argument.annotation, source)
        guessed = "" if written else _type_of(default)
        yield Parameter(
            name=argument.arg,
            type=written or guessed,
            required=default is None,
            default=None if default is None else shortened(source.segment(default), DEFAULT_SHOWN),
            keyword_only=at >= len(positional),
            doc=told.get(argument.arg, ""),
            inferred=bool(guessed),
        )


def _signature(
    name: str, node: FunctionNode, parameters: tuple[Parameter, ...], returns: str, source: Source
) -> str:
    arguments = node.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    shown = [signatures.shown(parameter) for parameter in parameters]
    parts, keyword_only = shown[:positional], shown[positional:]
    if arguments.posonlyargs:
        parts.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg is not None:
        parts.append("*" + _starred(arguments.vararg, source))
    elif keyword_only:
        parts.append("*")
    parts += keyword_only
    if arguments.kwarg is not None:
        parts.append("**" + _starred(arguments.kwarg, source))
    return f"{name}({', '.join(parts)})" + (f" -> {returns}" if returns else "")


def _starred(argument: ast.arg, source: Source) -> str:
    written = annotation(argument.annotation, source)
    return f"{argument.arg}: {written}" if written else argument.arg


def annotation(node: ast.expr | None, source: Source) -> str:
    """As written; without the quotes of one that is text as a whole."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    return source.segment(node)


def is_generator(node: FunctionNode) -> bool:
    stack: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
    while stack:
        part = stack.pop()
        if isinstance(part, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack += ast.iter_child_nodes(part)
    return False


def _type_of(default: ast.expr | None) -> str:
    """The type of a default value as far as its own text says it."""
    if isinstance(default, ast.UnaryOp) and isinstance(default.op, ast.USub | ast.UAdd):
        default = default.operand
    if isinstance(default, ast.Constant):
        return _SCALARS.get(type(default.value), "")
    return _DISPLAYS.get(type(default), "") if default is not None else ""
