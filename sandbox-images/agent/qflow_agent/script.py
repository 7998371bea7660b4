"""Runs code that is the body of a function, as n8n's Python nodes took it."""

import ast
import builtins
import gc
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence

from qflow_agent.binding import Arguments
from qflow_agent.body import Body, Facts, Json
from qflow_agent.dialects import COMMUNITY, NATIVE, PYODIDE, Reading
from qflow_agent.problem import Problem
from qflow_agent.proxies import Array, wrap
from qflow_agent.variables import Source, maker_of

_NAME = "<script>"
_GIVEN = frozenset({"json", "binary"})
_ENDS = {
    NATIVE: ("return _items", "return _item"),
    PYODIDE: ("return _input.all()", "return _input.item"),
    COMMUNITY: ("return items", "return item"),
}


class Script:
    """A compiled body. Every call runs it with names of its own."""

    def __init__(self, tree: ast.Module, reading: Reading, filename: str, module_name: str) -> None:
        """Raises SyntaxError for what no function may hold."""
        self.reading = reading
        self.dialect = reading.dialect or NATIVE
        self._names: Dict[str, Any] = {
            "__name__": module_name,
            "__file__": filename,
            "__builtins__": builtins.__dict__,
        }
        of_module = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
        self._makers = [(name, maker_of(name, self.dialect)) for name in sorted(reading.names)]
        self._parameters = sorted(reading.names - of_module)
        self._code = compile(
            _function(tree, self._parameters, waits=reading.waits), filename, "exec", dont_inherit=True
        )
        self._renewed = bool(of_module)
        self._function: Optional[Callable[..., Any]] = None

    def call(self, source: Source) -> Any:
        """What the body returns; where it awaits, a coroutine."""
        values = {name: make(source) for name, make in self._makers}
        if self._renewed:
            # What the body calls global is of this call alone, and so is the module that it is put into.
            return self._defined(values)(**{name: values[name] for name in self._parameters})
        if self._function is None:
            self._function = self._defined({})
        return self._function(**values)

    def _defined(self, values: Dict[str, Any]) -> Callable[..., Any]:
        names = {**self._names, **values}
        exec(self._code, names)
        return names[_NAME]

    def nothing(self, *, per_item: bool) -> Problem:
        """The problem of a script that gave no result."""
        end = _ENDS[self.dialect][per_item]
        return Problem(
            "result_missing",
            "The script returned nothing.",
            hint="It came to an end without a return that has a value. Its last line is usually: %s" % end
            if self.reading.returns
            else "It has no return. Add one as its last line, for example: %s" % end,
        )


class ScriptRun:
    """A script with the items of one run: what `call` runs in place of a function."""

    as_is = True

    def __init__(self, script: Script, mode: str, body: Body, facts: Facts) -> None:
        self._script = script
        self._facts = facts
        self.at_once = mode == "all" or (mode != "item" and not script.reading.per_item)
        self.looped = script.reading.waits
        self.passing: FrozenSet[type] = frozenset()
        self._bare = script.dialect == COMMUNITY and not script.reading.wrapped
        self._lost = body.lost
        self._items = body.jsons if self._bare else [_given(item) for item in body.items]
        # A script that names nothing but its own item has it wrapped for its call alone.
        self._wraps = script.dialect == PYODIDE
        if self._wraps and (self.at_once or not script.reading.per_item):
            self._items, self._wraps = _wrapped(self._items), False
        self._handed: Optional[List[Any]] = None
        self.entries: Sequence[Any] = range(len(self._items))
        self.function = self._all if self.at_once else self._one
        self.hints = list(body.hints)
        if any(body.args):
            self.hints.append("The mapped values are not used: a script has no parameters.")

    def for_all(self) -> Arguments:
        return [], {}

    def for_item(self, _number: int, entry: Any) -> Arguments:
        return [entry], {}

    def inputs(self) -> List[Any]:
        """What the results are compared with, to know which item each was made from."""
        if self._bare:
            return self._items
        return [dict.get(item, "json") for item in self._items]

    def checked(self, result: Any) -> Any:
        """The result in the form in which functions give theirs."""
        if result is None:
            # A native script drops an item by returning None for it.
            if self.at_once or not self._script.reading.returns:
                raise self._script.nothing(per_item=not self.at_once)
            return []
        return list(result) if isinstance(result, list) else result

    def checked_element(self, _index: int, value: Any) -> Any:
        return value

    def _all(self) -> Any:
        if self._lost:
            raise self._lost[min(self._lost)]
        return self._script.call(Source(self._item(0), 0, self._everything, self._facts))

    def _one(self, number: int) -> Any:
        if number in self._lost:
            raise self._lost[number]
        return self._script.call(Source(self._item(number), number, self._everything, self._facts))

    def _item(self, number: int) -> Any:
        if not self._items:
            return {} if self._bare else wrap({"json": {}})
        return wrap(self._items[number]) if self._wraps else self._items[number]

    def _everything(self) -> List[Any]:
        """All items, in a list that the script may change."""
        if self._handed is None:
            self._handed = self._items[:] if type(self._items) is list else Array(self._items)
        return self._handed


def _given(item: Json) -> Json:
    """What a script sees of an item: what the item was made from is no business of its own."""
    return item if item.keys() <= _GIVEN else {name: item[name] for name in item if name in _GIVEN}


def _wrapped(items: List[Any]) -> List[Any]:
    collecting = gc.isenabled()
    gc.disable()  # to make many objects at once is no reason to look for garbage among them
    try:
        return Array(items)
    finally:
        if collecting:
            gc.enable()


def _function(tree: ast.Module, parameters: List[str], *, waits: bool) -> ast.Module:
    """A module that defines the body as a function. Lines and strings stay what they are in the code."""
    head = "%sdef script(%s): pass" % ("async " if waits else "", ", ".join(parameters))
    module = ast.parse(head)
    function: Any = module.body[0]
    function.name = _NAME
    outside = [node for node in tree.body if _belongs_outside(node)]
    function.body = [node for node in tree.body if not _belongs_outside(node)] or function.body
    module.body = [*outside, function]
    return module


def _belongs_outside(node: ast.AST) -> bool:
    """What Python allows in a module alone: imports from __future__, and of everything."""
    return isinstance(node, ast.ImportFrom) and (
        node.module == "__future__" or any(alias.name == "*" for alias in node.names)
    )
