"""Finds each parameter its value.

In this order: the value mapped in the node; the upstream value itself, for the first parameter that nothing is
mapped to, if it accepts it whole; the field of the item with the parameter's name; the default. In a call for all
items, one that takes many plain values gets that field of each.
"""

from typing import TYPE_CHECKING, Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from qflow_agent.body import Json
from qflow_agent.kinds import ANY, Kind, Mismatch, described, path_text, unchanged
from qflow_agent.problem import Problem, listed, nearest
from qflow_agent.signatures import Parameter, Signature

if TYPE_CHECKING:
    from qflow_agent.supply import Supply

Arguments = Tuple[List[Any], Dict[str, Any]]

ABSENT = object()
"""In place of a value where there is none."""


class Binder:
    """Binds calls to which values are mapped for the same parameters."""

    def __init__(self, signature: Signature, mapped: FrozenSet[str], name: str, *, checked: bool) -> None:
        """Raises Problem (argument_unknown). Not `checked`: values that do not fit pass as they are."""
        self._signature = signature
        self._checked = checked
        names = [parameter.name for parameter in signature.parameters]
        self._extra = mapped.difference(names)
        if self._extra and not signature.takes_extra:
            raise _unknown(min(self._extra), names, name)
        free = [each for each in signature.parameters if each.name not in mapped and not _is_given(each)]
        self.supply: Optional["Supply"] = None
        """Gives what is no JSON, in one run."""
        self.shared: Mapping[int, Any] = {}
        """The objects of one run that parameters take themselves, by their ids."""
        self._free = free
        self._first: Optional[Parameter] = free[0] if free else None
        self.takes_many = self._first is not None and self._first.many
        """Whether one call takes all items, unless the node says otherwise."""
        self.takes_item_as_is = _takes_item_as_is(signature.parameters, mapped)
        """Whether the item's JSON, positional and alone, is all that a call takes."""

    def one(self, json: Json, mapped: Json) -> Arguments:
        """The arguments of a call for one item. Raises Problem (argument_missing, argument_type)."""
        return self._arguments(json, mapped, None)

    def all(self, jsons: List[Json], mapped: Json) -> Arguments:
        """The arguments of one call for all items; what is not many comes from the first item."""
        return self._arguments(jsons[0] if jsons else {}, mapped, jsons)

    def _arguments(self, json: Json, mapped: Json, jsons: Optional[List[Json]]) -> Arguments:
        args: List[Any] = []
        kwargs: Dict[str, Any] = {name: mapped[name] for name in self._extra}
        for parameter in self._signature.parameters:
            name = parameter.name
            value = ABSENT
            need, supply = parameter.need, self.supply
            if need is not None and supply is not None and (need.only or supply.has_files):
                value = supply.give(parameter, self._signature.parameters, mapped, json)
            if value is not ABSENT:
                pass
            elif name in mapped:
                value = self._convert(parameter, mapped[name])
            elif jsons is not None:
                value = self._of_all(parameter, json, jsons)
            else:
                value = self._of_item(parameter, json)
            if parameter.keyword_only:
                kwargs[name] = value
            else:
                args.append(value)
        return args, kwargs

    def _of_item(self, parameter: Parameter, json: Json) -> Any:
        if parameter is self._first:
            value = self._upstream(parameter, json)
            if value is not ABSENT:
                return value
        return self._of_field(parameter, json)

    def _of_field(self, parameter: Parameter, json: Json) -> Any:
        if parameter.name in json:
            return self._convert(parameter, json[parameter.name])
        if parameter.required:
            raise _missing(parameter, json)
        return parameter.default

    def _upstream(self, parameter: Parameter, json: Json) -> Any:
        kind = parameter.kind
        if kind is None:
            # A default such as "World" or 10 says that an item is not what is meant.
            whole = parameter.required or parameter.default is None
            return json if whole and parameter.name not in json else ABSENT
        if kind.takes_item:
            return self._whole(parameter, kind, json)
        if len(json) == 1 and "value" in json and parameter.name not in json:
            try:
                return self._apply(parameter, json["value"])
            except Mismatch as mismatch:
                if not self._checked:
                    return json["value"]
                if parameter.required:
                    raise wrong(parameter, mismatch.at("value")) from None
        return ABSENT

    def _whole(self, parameter: Parameter, kind: Kind, json: Json) -> Any:
        try:
            value = self._apply(parameter, json)
        except Mismatch as mismatch:
            if parameter.name in json:
                return ABSENT
            if not self._checked:
                return json
            # An item with some of the fields is meant for it: a default would hide what is wrong.
            if parameter.required or not kind.fields.isdisjoint(json):
                raise wrong(parameter, mismatch) from None
            return ABSENT
        # Where every field has a default, any item fits: the one of the parameter's name is meant.
        by_name = parameter.name in json and kind.fields and kind.fields.isdisjoint(json)
        return ABSENT if by_name else value

    def _of_all(self, parameter: Parameter, json: Json, jsons: List[Json]) -> Any:
        column = self._column(parameter, jsons)
        if column is not ABSENT:
            return column
        if parameter is self._first:
            value = self._gathered(parameter, jsons)
            if value is not ABSENT:
                return value
        elif not parameter.required:
            return parameter.default
        return self._of_field(parameter, json)

    def _column(self, parameter: Parameter, jsons: List[Json]) -> Any:
        """The field of its name of every item, for one that takes many values which are no items; of a single item that
        holds many, the field itself."""
        kind, name = parameter.kind, parameter.name
        if kind is None or kind.element is None or kind.element.takes_item:
            return ABSENT
        if not jsons or not all(name in json for json in jsons):
            return ABSENT
        column = [json[name] for json in jsons]
        choices: List[Tuple[Any, bool]] = [(column, True)]
        if len(column) == 1 and isinstance(column[0], list):
            # An array takes anything for its elements: it is the list that is meant.
            choices.insert(0 if kind.element.convert is unchanged else 1, (column[0], False))
        for value, of_items in choices:
            try:
                return self._apply(parameter, value)
            except Mismatch as mismatch:
                problem = wrong(parameter, mismatch, of_items=of_items)
        if not self._checked:
            return column
        raise problem

    def _gathered(self, parameter: Parameter, jsons: List[Json]) -> Any:
        kind = parameter.kind
        if kind is None or kind.convert is unchanged:
            return jsons
        values: List[Any] = jsons
        if kind.element is not None and not kind.element.takes_item:
            values = [json["value"] if len(json) == 1 and "value" in json else json for json in jsons]
        try:
            return self._apply(parameter, values)
        except Mismatch as mismatch:
            if not self._checked:
                return values
            if kind.element is not None:
                raise wrong(parameter, mismatch, of_items=True) from None
            if parameter.required and parameter.name not in (jsons[0] if jsons else {}):
                raise wrong(parameter, mismatch) from None
            return ABSENT

    def _convert(self, parameter: Parameter, value: Any) -> Any:
        if parameter.kind is None:
            return value
        try:
            return self._apply(parameter, value)
        except Mismatch as mismatch:
            if not self._checked:
                return value
            raise wrong(parameter, mismatch) from None

    def _apply(self, parameter: Parameter, value: Any) -> Any:
        """What `value` becomes for a parameter that has a kind. Raises Mismatch."""
        kind = parameter.kind
        return value if kind is None else kind.apply(value)


def _is_given(parameter: Parameter) -> bool:
    """Whether no item's JSON is meant for it."""
    return parameter.need is not None and parameter.need.only


def _takes_item_as_is(parameters: List[Parameter], mapped: FrozenSet[str]) -> bool:
    if len(parameters) != 1 or mapped or parameters[0].keyword_only or parameters[0].need is not None:
        return False
    kind = parameters[0].kind
    return kind is not None and kind.takes_item and (kind is ANY or (dict in kind.plain and not kind.fields))


def _label(parameter: Parameter) -> str:
    return "Parameter '%s'%s" % (parameter.name, " (%s)" % parameter.written if parameter.written else "")


def wrong(parameter: Parameter, mismatch: Mismatch, *, of_items: bool = False) -> Problem:
    """The problem of a value that does not fit; `of_items`: it is all items, and the path may begin with one's number."""
    path = list(mismatch.path)
    item = None
    place = ""
    hint = "Map another value in the node, or change the annotation."
    if of_items:
        hint += " All items go into one call here; the mode 'item' calls the function once for each."
        if path and isinstance(path[0], int):
            item = path.pop(0)
            place = ", item %d" % item
    if mismatch.advice:
        hint += " " + mismatch.advice
    if path:
        place += " at %s" % path_text(path)
    return Problem(
        "argument_type",
        "%s%s: %s." % (_label(parameter), place, mismatch.sentence().rstrip(".")),
        hint=hint,
        item=item,
        parameter=parameter.name,
        extra={
            **({"path": path_text(path)} if path else {}),
            "expected": mismatch.expected,
            "actual": described(mismatch.value),
        },
    )


def _missing(parameter: Parameter, json: Json) -> Problem:
    fields = [str(name) for name in json]
    return Problem(
        "argument_missing",
        "%s has no value: nothing is mapped to it, the item has no field '%s', and it has no default."
        % (_label(parameter), parameter.name),
        hint="%sThe item has %s. Map a value in the node, or give the parameter a default."
        % (nearest(parameter.name, fields), "the fields " + listed(fields) if fields else "no fields"),
        parameter=parameter.name,
    )


def _unknown(unknown: str, names: List[str], function: str) -> Problem:
    return Problem(
        "argument_unknown",
        "The function '%s' has no parameter '%s'." % (function, unknown),
        hint="%sIt %s."
        % (nearest(unknown, names), "takes " + listed(names) if names else "takes no parameters"),
        parameter=unknown,
    )
