"""What a function takes: its parameters, each with the Kind of its annotation."""

import inspect
import sys
from typing import Any, Callable, List, NamedTuple, Optional

from qflow_agent.annotations import UNKNOWN, Scope, many_by_name, resolve, written
from qflow_agent.kinds import ANY, Kind
from qflow_agent.needs import BY_NAME, Need, need_of
from qflow_agent.typing_kinds import KindMaker

_EMPTY = inspect.Parameter.empty


class Parameter(NamedTuple):
    name: str
    written: str
    """The annotation as its author wrote it; empty without one."""
    kind: Optional[Kind]
    """None for a parameter without an annotation, or with one that cannot be resolved."""
    many: bool
    """Whether it takes many rows at once."""
    required: bool
    default: Any
    keyword_only: bool
    annotation: Any = UNKNOWN
    """As it stands in the code."""
    need: Optional[Need] = None
    """What it wants beside an item's JSON."""


class Signature(NamedTuple):
    parameters: List[Parameter]
    takes_extra: bool
    """Whether ``**kwargs`` takes values for other names."""
    returns: Any
    """The annotation of the result, as it stands in the code."""
    scope: Scope
    """Where the annotations stand."""


def signature_of(function: Callable[..., Any], scope: Scope, lax: bool) -> Signature:
    """Read the signature; `scope` serves callables that have no globals of their own."""
    maker = KindMaker(lax)
    try:
        found = _signature(function)
        scope = getattr(inspect.unwrap(function), "__globals__", scope)
    except (ValueError, TypeError):
        # A callable written in C that does not tell: it gets the item, as a function of one parameter does.
        return Signature([Parameter("item", "", None, False, True, None, False)], False, UNKNOWN, scope)
    parameters = []
    takes_extra = False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_extra = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            parameters.append(_parameter(parameter, scope, maker))
    returns = UNKNOWN if found.return_annotation is _EMPTY else found.return_annotation
    return Signature(parameters, takes_extra, returns, scope)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _parameter(parameter: inspect.Parameter, scope: Scope, maker: KindMaker) -> Parameter:
    annotation = parameter.annotation
    kind: Optional[Kind] = None
    text = ""
    if annotation is not _EMPTY:
        text = written(annotation)
        if resolve(annotation, scope) is not UNKNOWN:
            kind = maker.make(annotation, scope)
        elif many_by_name(annotation):
            kind = ANY._replace(expected=text, element=ANY)
    return Parameter(
        name=parameter.name,
        written=text,
        kind=kind,
        many=kind is not None and kind.element is not None,
        required=parameter.default is _EMPTY,
        default=None if parameter.default is _EMPTY else parameter.default,
        keyword_only=parameter.kind is parameter.KEYWORD_ONLY,
        annotation=UNKNOWN if annotation is _EMPTY else annotation,
        need=BY_NAME if annotation is _EMPTY else need_of(annotation, scope),
    )
