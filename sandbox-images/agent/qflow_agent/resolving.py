"""Puts the objects in the place of the reference documents of a request, before anything is bound."""

from typing import Any, Dict, List, NamedTuple, Optional, Set

from qflow_agent.body import Body, Whole
from qflow_agent.exchange import NotToBeHad
from qflow_agent.glances import clipped
from qflow_agent.pickling import Unpicklable
from qflow_agent.problem import Problem
from qflow_agent.references import KEY, Desk, Json, told_of


class _Gone(NamedTuple):
    """Why a reference stands for nothing, for each item that has it."""

    code: str
    detail: str
    hint: str
    reference: str

    def problem(self, item: Optional[int]) -> Problem:
        return Problem(self.code, self.detail, hint=self.hint, item=item, extra={"reference": self.reference})


def resolve(body: Body, desk: Desk) -> Body:
    """`body` with every reference document in it replaced by its object.

    An item with a reference is the object; fields may stand beside it, and an item that is mapped to a parameter may
    be such a one too. Deeper inside a reference stands alone.

    What a reference cannot be resolved for goes into `lost`, by item; what concerns every item is raised.
    Raises Problem (reference_gone, reference_unpicklable).
    """
    resolver = _Resolver(desk)
    for_each = len(body.args) > 1 or len(body.jsons) <= 1
    for index, args in enumerate(body.args):
        resolver.within(args, index if for_each and body.jsons else None, items=True)
    for number, json in enumerate(body.jsons):
        told = told_of(json, beside=True)
        if told is None:
            classes = set(map(type, json.values()))
            if dict not in classes and list not in classes:
                continue
            resolver.within(json, number)
            if len(json) == 1 and type(json.get("value")) not in _JSON and not body.items:
                body.jsons[number] = Whole(json["value"])
        else:
            del json[KEY]
            resolver.within(json, number)
            whole = resolver.value_of(told, number)
            if not body.items:
                body.jsons[number] = Whole(whole, json)
            else:
                # A script finds the object where an item has its fields, or where the reference stood among them.
                body.jsons[number] = {KEY: whole, **json} if json else whole
    for item, json in zip(body.items, body.jsons):
        item["json"] = json
    return body._replace(
        live=True,
        lost=resolver.lost,
        shared=resolver.objects() if desk.shared else {},
        hints=resolver.hints(),
    )


_JSON = (str, int, float, bool, type(None), list, dict)


class _Resolver:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._found: Dict[str, Any] = {}
        self._brought: Set[str] = set()
        self.lost: Dict[int, Problem] = {}

    def objects(self) -> Dict[int, Any]:
        """What was found, by its id."""
        return {id(found): found for found in self._found.values() if type(found) is not _Gone}

    def hints(self) -> List[str]:
        if not self._brought:
            return []
        return [
            "Shared objects that were made in another session, or before this one, came here as copies: %s. Nodes "
            "that run here share them; the session that made them does not see what changes."
            % ", ".join(sorted(self._brought)[:5])
        ]

    def within(self, container: Any, number: Optional[int], *, items: bool = False) -> None:
        """Replace the documents in a dict or list of JSON, at any depth; `items`: what it holds may be whole items."""
        pending: List[Any] = [container]
        while pending:
            holder = pending.pop()
            for place, part in list(holder.items() if type(holder) is dict else enumerate(holder)):
                if type(part) is not dict and type(part) is not list:
                    continue
                told = told_of(part, beside=items and holder is container)
                if told is None:
                    pending.append(part)
                else:
                    holder[place] = self.value_of(told, number)

    def value_of(self, told: Json, number: Optional[int]) -> Any:
        """The object; None for one that is lost to item `number`. All that one run takes of a reference is one copy."""
        reference = told["ref"]
        if reference not in self._found:
            self._found[reference] = self._taken(told, reference)
        found = self._found[reference]
        if type(found) is not _Gone:
            return found
        if number is None:
            raise found.problem(None)
        self.lost.setdefault(number, found.problem(number))
        return None

    def _taken(self, told: Json, reference: str) -> Any:
        """The object, or what is to be said when it cannot be had."""
        objects, exchange, _, shared = self._desk
        try:
            if objects.has(reference):
                taken = objects.take(reference, shared=shared)
            else:
                taken = objects.adopt(reference, exchange.fetch_value(reference), shared=shared)
        except NotToBeHad as error:
            return _Gone(
                "reference_gone",
                "%s is not to be had any more. %s" % (_named(told), error),
                "Run the workflow from the node that made it, or have that node return items instead.",
                reference,
            )
        except Unpicklable as error:
            return _Gone(
                "reference_unpicklable",
                "%s cannot be brought here. %s" % (_named(told), error),
                error.hint,
                reference,
            )
        if shared and not objects.is_own(reference):
            self._brought.add(_named(told))
        return taken


def _named(told: Json) -> str:
    node = told.get("node")
    origin = " from the node '%s'" % clipped(node) if type(node) is str and node else ""
    return "The object %s%s (reference %s…)" % (clipped(told["type"]), origin, told["ref"][:6])
