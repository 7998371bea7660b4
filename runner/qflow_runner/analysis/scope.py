"""What names mean in the code's annotations."""

import ast
import builtins

from qflow_runner.analysis import class_calls
from qflow_runner.analysis.functions import annotation
from qflow_runner.analysis.names import Names
from qflow_runner.analysis.source import Source
from qflow_runner.analysis.syntax import Tree
from qflow_runner.types import ClassInfo, Scope

_BUILTIN = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type))


def scope_of(tree: Tree, names: Names, classes: dict[str, ClassInfo], source: Source) -> Scope:
    aliases: dict[str, str] = {}
    variables: dict[str, str] = {}
    imports: dict[str, str] = {}
    for declared in tree.parameters.values():
        variables |= {parameter.name: parameter.bound for parameter in declared}
    for name, binding in names.bound.items():
        if binding.kind == "import":
            imports[name] = binding.qualified
        elif binding.value is not None and name not in classes:
            value = binding.value
            if isinstance(value, ast.Call) and class_calls.is_variable(value, names):
                variables[name] = class_calls.bound_of(value, source)
            elif _is_declared(binding.node, tree, names) or _is_type(value, names, classes, aliases):
                aliases[name] = annotation(_aliased(value), source)
    return Scope(classes=classes, aliases=aliases, imports=imports, variables=variables)


def _is_declared(node: ast.stmt, tree: Tree, names: Names) -> bool:
    """``type X = …`` and ``X: TypeAlias = …``."""
    if isinstance(node, ast.AnnAssign):
        return names.qualified(node.annotation).rpartition(".")[2] == "TypeAlias"
    return (node.lineno, node.col_offset) in tree.aliases


def _aliased(value: ast.expr) -> ast.expr:
    """The type itself in ``X = TypeAliasType("X", int)``."""
    return value.args[1] if isinstance(value, ast.Call) and len(value.args) > 1 else value


def _is_type(node: ast.expr, names: Names, classes: dict[str, ClassInfo], aliases: dict[str, str]) -> bool:
    """Whether an expression reads as a type, and not as a value."""

    def known(part: ast.expr) -> bool:
        if isinstance(part, ast.Name):
            name, binding = part.id, names.bound.get(part.id)
            if binding is None:
                return name in _BUILTIN or bool(names.stars)
            return name in classes or name in aliases or binding.kind == "import" or _is_variable(name)
        return isinstance(part, ast.Attribute) and names.qualified(part) != ast.unparse(part)

    def _is_variable(name: str) -> bool:
        call = names.bound[name].value
        return isinstance(call, ast.Call) and class_calls.is_variable(call, names)

    if isinstance(node, ast.Subscript):
        return known(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return all(
            _is_type(side, names, classes, aliases)
            or (isinstance(side, ast.Constant) and (side.value is None or isinstance(side.value, str)))
            for side in (node.left, node.right)
        )
    if isinstance(node, ast.Call):
        return names.qualified(node.func).rpartition(".")[2] == "TypeAliasType"
    return known(node)
