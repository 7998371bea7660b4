"""Tells a script from a module of functions, and which of n8n's Python nodes a script was written for.

A script is the body of a function: it may ``return``, and finds its input in variables that nothing in it defines.
Only names that are read before the script sets them count, so ``items = _input.all()`` is no use of ``items``.
The runner's analysis asks the same questions, so this module imports nothing of the agent. It walks without recursion:
the code may be nested more deeply than Python's own stack.
"""

import ast
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

NATIVE = "native"
"""The Python of n8n's Code node since 2.0: ``_items`` or ``_item``."""
PYODIDE = "pyodide"
"""The Python of the Code node before 2.0: ``_input.all()``, ``_json`` and the other ``$`` variables of n8n."""
COMMUNITY = "community"
"""The community node "Python Function": ``items``, ``env_vars``."""

_PYODIDE_ALONE = frozenset(
    "_input _json _binary _itemIndex _runIndex _now _today _node _prevNode _nodeId _nodeVersion _execution"  # noqa: SIM905
    " _workflow _env _vars _secrets _parameter _position _mode _jmespath _getWorkflowStaticData _getNodeParameter"
    " _evaluateExpression _fromAI _ifEmpty _".split()
)
_BOTH = frozenset({"_items", "_item"})
_COMMUNITY = frozenset({"items", "item", "env_vars"})
VARIABLES = _PYODIDE_ALONE | _BOTH | _COMMUNITY
"""Every name that one of the nodes defined."""

_ONE = frozenset({"_item", "_json", "_binary", "_itemIndex", "item"})
_ALL = frozenset({"_items", "items"})
_ALL_INPUT = frozenset({"all", "first", "last"})


class Reading(NamedTuple):
    """What a script says about itself."""

    dialect: str
    """Empty for a module of functions."""
    names: FrozenSet[str]
    """The variables of the node that it reads."""
    per_item: bool
    """Whether it names a single item and never all of them."""
    returns: bool
    """Whether there is a ``return`` or a ``yield`` in the body."""
    waits: bool
    """Whether the body awaits."""
    wrapped: bool
    """Whether it reads ``["json"]`` of something."""


def dialect_of(tree: ast.Module) -> str:
    """Empty for a module of functions, else "native", "pyodide" or "community"."""
    return read(tree).dialect


def read(tree: ast.Module) -> Reading:
    """Look at the whole of `tree`, once."""
    walk = _Walk(tree)
    names = walk.body_reads() & VARIABLES
    is_body = walk.returns or walk.waits
    if is_body:
        names |= walk.inner_reads() & VARIABLES
    if "_" not in walk.called:
        names -= {"_"}  # _("Node") is n8n's; a lone _ is what people call a value that they do not use
    return Reading(
        _dialect(names, walk, is_body=is_body),
        frozenset(names),
        _per_item(names, walk.of_input),
        walk.returns,
        walk.waits,
        walk.wrapped,
    )


def _dialect(names: Set[str], walk: "_Walk", *, is_body: bool) -> str:
    if names & _PYODIDE_ALONE:
        return PYODIDE
    if names & _BOTH:
        return PYODIDE if walk.dotted else NATIVE
    # Ordinary words: beside functions, and without a return, they are more likely a slip than a script.
    if names & _COMMUNITY and (is_body or not walk.defines):
        return COMMUNITY
    return NATIVE if is_body else ""


def _per_item(names: Set[str], of_input: Set[str]) -> bool:
    one = bool(names & _ONE) or "item" in of_input
    return one and not names & _ALL and not of_input & _ALL_INPUT


class _Scope:
    def __init__(self, kind: str, parent: "Optional[_Scope]") -> None:
        self.kind = kind  # "body", "function", "class" or "comprehension"
        self.parent = parent
        self.bound: Set[str] = set()
        self.reads: Set[str] = set()
        self.of_module: Set[str] = set()


_Work = Tuple[Any, _Scope]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class _Walk:
    """Visits every node in about the order in which it runs."""

    def __init__(self, tree: ast.Module) -> None:
        self.returns = self.waits = self.dotted = self.wrapped = self.defines = False
        self.called: Set[str] = set()
        self.of_input: Set[str] = set()
        """Attributes of ``_input``."""
        self._first: Dict[str, bool] = {}
        """For each name of the body, whether it is first met being read."""
        self._functions: List[_Scope] = []
        self._methods: Set[int] = set()
        self._body = _Scope("body", None)
        self._stack: List[_Work] = [(node, self._body) for node in reversed(tree.body)]
        while self._stack:
            node, scope = self._stack.pop()
            self._stack += reversed(self._visit(node, scope))

    def body_reads(self) -> Set[str]:
        return {name for name, read_first in self._first.items() if read_first}

    def inner_reads(self) -> Set[str]:
        """Names that functions in the body read, and that neither they nor the body define."""
        found = set()
        for function in self._functions:
            for name in function.reads:
                scope: Optional[_Scope] = function
                while scope is not None and (
                    scope.kind == "class" or name not in scope.bound or name in scope.of_module
                ):
                    scope = scope.parent
                if scope is None:
                    found.add(name)
        return found

    def _visit(self, node: ast.AST, scope: _Scope) -> List[_Work]:
        """Take note of `node`; what is left to visit, in order."""
        if isinstance(node, ast.Name):
            self._name(node, scope)
            return []
        if isinstance(node, _FUNCTIONS):
            return self._function(node, scope)
        if isinstance(node, ast.ClassDef):
            self._bind(node.name, scope)
            inner = _Scope("class", scope)
            outside = [(part, scope) for part in [*node.decorator_list, *node.bases, *node.keywords]]
            return outside + [(part, inner) for part in node.body]
        if isinstance(node, _COMPREHENSIONS):
            return self._comprehension(node, scope)
        if isinstance(node, ast.NamedExpr):
            return [(node.value, scope), (node.target, _outside_comprehensions(scope))]
        self._note(node, scope)
        return [(child, scope) for child in _in_order(node)]

    def _note(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)):
            self.returns = self.returns or _of_body(scope)
        elif isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            self.waits = self.waits or _of_body(scope)
        elif isinstance(node, ast.Attribute):
            self._attribute(node)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Subscript):
            self._subscript(node)
        else:
            self._note_names(node, scope)

    def _note_names(self, node: ast.AST, scope: _Scope) -> None:
        """Names that are no nodes of their own."""
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._read(node.target.id, scope)
        elif isinstance(node, ast.Global):
            _outside_comprehensions(scope).of_module.update(node.names)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                self._bind((alias.asname or alias.name).partition(".")[0], scope)
        else:
            # except … as name, case … as name, case {**rest}
            for name in (getattr(node, "name", None), getattr(node, "rest", None)):
                if isinstance(name, str):
                    self._bind(name, scope)

    def _subscript(self, node: ast.Subscript) -> None:
        index: Any = node.slice
        key = getattr(index, "value", None)
        key = getattr(key, "value", key)  # Python 3.8 has an ast.Index between
        self.wrapped = self.wrapped or (key == "json" and isinstance(node.ctx, ast.Load))

    def _name(self, node: ast.Name, scope: _Scope) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read(node.id, scope)
        else:
            self._bind(node.id, scope)

    def _attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "_input":
            self.of_input.add(node.attr)
        # item.json.name is JavaScript's way; response.json() is another thing.
        if node.attr == "to_py" or (node.attr == "json" and id(node) not in self._methods):
            self.dotted = True

    def _call(self, node: ast.Call) -> None:
        self._methods.add(id(node.func))
        if isinstance(node.func, ast.Name):
            self.called.add(node.func.id)
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
            self.wrapped = self.wrapped or getattr(node.args[0], "value", None) == "json"

    def _function(self, node: Any, scope: _Scope) -> List[_Work]:
        inner = _Scope("function", scope)
        self._functions.append(inner)
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
        inner.bound.update(argument.arg for argument in every)
        outside = [
            *arguments.defaults,
            *(default for default in arguments.kw_defaults if default is not None),
        ]
        if isinstance(node, ast.Lambda):
            return [(part, scope) for part in outside] + [(node.body, inner)]
        if scope is self._body:
            self.defines = True
        outside += [argument.annotation for argument in every if argument.annotation is not None]
        outside += [part for part in (*node.decorator_list, node.returns) if part is not None]
        self._bind(node.name, scope)
        return [(part, scope) for part in outside] + [(part, inner) for part in node.body]

    def _comprehension(self, node: Any, scope: _Scope) -> List[_Work]:
        inner = _Scope("comprehension", scope)
        work: List[_Work] = []
        for index, generator in enumerate(node.generators):
            if generator.is_async and _of_body(scope):
                self.waits = True
            work.append((generator.iter, inner if index else scope))
            work.append((generator.target, inner))
            work += [(condition, inner) for condition in generator.ifs]
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return work + [(part, inner) for part in parts]

    def _read(self, name: str, scope: _Scope) -> None:
        while scope.kind in ("class", "comprehension"):
            if name in scope.bound or scope.parent is None:
                return
            scope = scope.parent
        if scope.kind == "function":
            scope.reads.add(name)
        else:
            self._first.setdefault(name, True)

    def _bind(self, name: str, scope: _Scope) -> None:
        scope.bound.add(name)
        if scope.kind == "body":
            self._first.setdefault(name, False)


def _in_order(node: Any) -> List[Any]:
    """The children of `node`, values before the names that they are given to."""
    if isinstance(node, ast.Assign):
        return [node.value, *node.targets]
    if isinstance(node, ast.AnnAssign):
        return [part for part in (node.annotation, node.value, node.target) if part is not None]
    if isinstance(node, ast.AugAssign):
        return [node.value, node.target]
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return [node.iter, node.target, *node.body, *node.orelse]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return []
    return list(ast.iter_child_nodes(node))


def _outside_comprehensions(scope: _Scope) -> _Scope:
    while scope.kind == "comprehension" and scope.parent is not None:
        scope = scope.parent
    return scope


def _of_body(scope: _Scope) -> bool:
    return _outside_comprehensions(scope).kind == "body"
