"""Reads the request body: the items' JSON, and the values that the node maps to parameters."""

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from qflow_agent import codec
from qflow_agent.problem import Problem

if TYPE_CHECKING:
    from qflow_agent.references import Desk

Json = Dict[str, Any]
_REFERENCE = b'"$qflow"'
_BINARY = b'"binary"'


class Facts(NamedTuple):
    """What a run knows of its place in n8n: ids, and the node's name."""

    workflow: str = ""
    execution: str = ""
    node: str = ""


class Whole(Dict[str, Any]):
    """The fields of an item that is an object: those that stand beside its reference, and ``value``, the object itself,
    unless one of them has that name."""

    __slots__ = ("beside", "object")

    def __init__(self, thing: Any, fields: Optional[Json] = None) -> None:
        super().__init__(value=thing)
        self.object = thing
        self.beside = frozenset(fields or ())
        """The names of the fields beside the object."""
        if fields:
            self.update(fields)


class Body(NamedTuple):
    jsons: List[Json]
    """The `json` of every item."""
    args: List[Json]
    """Values by parameter: none, one entry for all items, or one per item."""
    items: List[Json]
    """The items themselves, where they are asked for: beside their `json` they may have a `binary`."""
    live: bool = False
    """Whether objects stand in the place of references."""
    lost: Mapping[int, Problem] = MappingProxyType({})
    """Why an item cannot be had, by its number."""
    binaries: Sequence[Any] = ()
    """The `binary` of every item, or None for one without; empty where no item has files."""
    secrets: Mapping[str, str] = MappingProxyType({})
    """The node's secrets by name."""
    shared: Mapping[int, Any] = MappingProxyType({})
    """The objects that are handed over themselves and not as copies, by their ids."""
    hints: Sequence[str] = ()


def parse(buffer: codec.Buffer, *, whole: bool = False, desk: "Optional[Desk]" = None) -> Body:
    """Raises Problem (body_invalid) for anything but ``{"items": [{"json": {…}}, …], "args": [{…}, …]}``.

    With a desk, references become the objects that they stand for; then it also raises reference_gone and
    reference_unpicklable.
    """
    try:
        body = codec.loads(buffer)
    except ValueError as error:
        raise _invalid("The request body is not JSON: %s." % error) from None
    if type(body) is not dict or type(body.get("items")) is not list:
        raise _invalid('The request body has no list "items".')
    items = body["items"]
    args = body.get("args") or []
    if type(args) is not list or not _all_dicts(args):
        raise _invalid('"args" is not a list of objects.')
    if len(args) not in (0, 1, len(items)):
        raise _invalid(
            '"args" has %d entries for %d items: send one for all, or one for each.' % (len(args), len(items))
        )
    try:
        jsons = [item["json"] for item in items]
    except (KeyError, TypeError, IndexError):
        jsons = [item.get("json") if type(item) is dict else None for item in items]
    if not _all_dicts(jsons):
        number = next(index for index, json in enumerate(jsons) if type(json) is not dict)
        raise _invalid('Item %d has no object "json".' % number, number)
    parsed = Body(jsons, args, items if whole else [])
    if "secrets" in body:
        parsed = parsed._replace(secrets=_secrets(body["secrets"]))
    if _mentions(buffer, _BINARY):
        parsed = parsed._replace(binaries=[item.get("binary") for item in items])
    if desk is None or not mentions_reference(buffer):
        return parsed
    from qflow_agent.resolving import resolve

    return resolve(parsed, desk)


def mentions_reference(buffer: codec.Buffer) -> bool:
    """Whether references may be among the text: a body without any costs no more than this."""
    # One rare letter first: to look for a quotation mark takes ten times as long in JSON.
    return _mentions(buffer, b"$") and _mentions(buffer, _REFERENCE)


def _mentions(buffer: codec.Buffer, text: bytes) -> bool:
    return (bytes(buffer) if isinstance(buffer, memoryview) else buffer).find(text) >= 0


def _secrets(given: Any) -> Mapping[str, str]:
    if type(given) is not dict or not set(map(type, given.values())) <= {str}:
        raise _invalid('"secrets" is not an object of texts.')
    return given


def _all_dicts(values: List[Any]) -> bool:
    return set(map(type, values)) <= {dict}


def _invalid(detail: str, item: "int | None" = None) -> Problem:
    return Problem(
        "body_invalid",
        detail,
        hint='Send JSON of the form {"items": [{"json": {…}}, …], "args": [{…}]}.',
        item=item,
    )
