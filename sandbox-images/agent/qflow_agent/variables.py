"""The variables of n8n's Python nodes, for one call of a script."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from qflow_agent.body import Facts, Json
from qflow_agent.dialects import PYODIDE
from qflow_agent.problem import Problem

_EARLIER = "Only the items that come in are here: connect that node, or merge its items before this one."
_EXPRESSION = "Put {{ $%s }} into the items before this node (Edit Fields), or write a function and map it to a parameter."
_MISSING: Dict[str, str] = {
    "_": _EARLIER,
    "_prevNode": _EARLIER,
    "_env": _EXPRESSION % "env.NAME",
    "_vars": _EXPRESSION % "vars.name",
    "_secrets": _EXPRESSION % "secrets.…",
    "_parameter": _EXPRESSION % "parameter.…",
    "_runIndex": _EXPRESSION % "runIndex",
    "_mode": _EXPRESSION % "execution.mode",
    "env_vars": "Write a function and map the value to a parameter.",
    "_getWorkflowStaticData": "Keep the state in n8n, for example in a data table, and read it before this node.",
}
_NO_EXPRESSION = "Write a function and map the value to a parameter."


class Source(NamedTuple):
    """What the variables of one call are made from."""

    item: Json
    number: int
    everything: Callable[[], List[Any]]
    facts: Facts


def maker_of(name: str, dialect: str) -> Callable[[Source], Any]:
    """What makes the variable `name` for a call."""
    if name in ("_items", "items"):
        return lambda source: source.everything()
    if name in ("_item", "item"):
        return lambda source: source.item
    if dialect != PYODIDE or name not in _MADE:
        missing = Missing(name, _MISSING.get(name, _NO_EXPRESSION))
        return lambda _source: missing
    return _MADE[name]


class Missing:
    """Stands for a variable whose value does not come with a run, and says so when it is used."""

    def __init__(self, name: str, instead: str) -> None:
        self.__dict__["_problem"] = (name, instead)

    def _raise(self, *_arguments: Any, **_named: Any) -> Any:
        name, instead = self.__dict__["_problem"]
        raise Problem(
            "script_variable", "The script uses %s, which Qflow does not have." % name, hint=instead
        )

    __getattr__ = __setattr__ = __getitem__ = __call__ = __iter__ = __len__ = __bool__ = __contains__ = _raise
    __str__ = __int__ = __index__ = __float__ = __eq__ = __add__ = __radd__ = __lt__ = __gt__ = _raise
    __hash__ = object.__hash__


class Known:
    """An object of n8n of which some members are known."""

    def __init__(self, name: str, members: Mapping[str, Any], instead: str) -> None:
        self.__dict__.update(members)
        self.__dict__["_name"] = name
        self.__dict__["_instead"] = instead

    def __getattr__(self, member: str) -> Any:
        if member.startswith("__"):
            raise AttributeError(member)
        raise Problem(
            "script_variable",
            "The script uses %s.%s, which Qflow does not have." % (self._name, member),
            hint=self._instead,
        )

    def __getitem__(self, member: str) -> Any:
        return getattr(self, member)


class Input:
    """``_input``: the items that came in."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def all(self, *_arguments: Any) -> List[Any]:
        return self._source.everything()

    def first(self, *_arguments: Any) -> Optional[Any]:
        return next(iter(self.all()), None)

    def last(self, *_arguments: Any) -> Optional[Any]:
        return self.all()[-1] if self.all() else None

    @property
    def item(self) -> Any:
        return self._source.item

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Problem(
            "script_variable",
            "The script uses _input.%s, which Qflow does not have." % name,
            hint="There are: _input.all(), _input.first(), _input.last() and _input.item.",
        )


def _now(_source: Source) -> Any:
    from qflow_agent.moments import Moment

    return Moment.here()


def _jmespath(data: Any, expression: str) -> Any:
    try:
        import jmespath
    except ImportError:
        raise Problem(
            "script_variable",
            "The script uses _jmespath, which needs the package jmespath.",
            hint="Add jmespath to the requirements of the node.",
        ) from None
    from qflow_agent.proxies import plain, wrap

    return wrap(jmespath.search(expression, plain(data)))


_MADE: Dict[str, Callable[[Source], Any]] = {
    "_input": Input,
    "_json": lambda source: source.item["json"],
    "_binary": lambda source: source.item.get("binary", {}),
    "_itemIndex": lambda source: source.number,
    "_now": _now,
    "_today": lambda source: _now(source).startOf("day"),
    "_jmespath": lambda _source: _jmespath,
    "_workflow": lambda source: Known(
        "_workflow", {"id": source.facts.workflow}, _EXPRESSION % "workflow.name"
    ),
    "_execution": lambda source: Known(
        "_execution", {"id": source.facts.execution}, _EXPRESSION % "execution.mode"
    ),
    "_node": lambda source: Known("_node", {"name": source.facts.node}, _EARLIER),
}
