"""Binding where objects stand among the JSON, in the place of references.

An object goes to a parameter whose annotation it is an instance of, as it is. Another one is converted as JSON would
be: a table's rows, an object's fields.
"""

import sys
import typing
from typing import Any, Dict, FrozenSet, List, Optional

from qflow_agent.annotations import resolve
from qflow_agent.binding import ABSENT, Arguments, Binder, wrong
from qflow_agent.body import Json, Whole
from qflow_agent.fits import FitMaker
from qflow_agent.kinds import Kind, Mismatch, unchanged
from qflow_agent.signatures import Parameter, Signature
from qflow_agent.tracebacks import message
from qflow_agent.values import IsFile, OneShot, Refused, is_data, simplify

_JSON = frozenset({str, int, float, bool, type(None), list, dict})
_STEPS = 5


class LiveBinder(Binder):
    """An item that is an object is the upstream value itself, for the first parameter that takes no field beside it."""

    def __init__(self, signature: Signature, mapped: FrozenSet[str], name: str, *, checked: bool) -> None:
        super().__init__(signature, mapped, name, checked=checked)
        self._scope = signature.scope
        self._fits: Dict[str, Kind] = {}
        self._claimants = iter(self._free)
        self._claimant: Optional[Parameter] = None

    def _arguments(self, json: Json, mapped: Json, jsons: Optional[List[Json]]) -> Arguments:
        self._claimants = iter(self._free)
        self._claimant = next(self._claimants, None)
        return super()._arguments(json, mapped, jsons)

    def _of_item(self, parameter: Parameter, json: Json) -> Any:
        if type(json) is not Whole:
            return super()._of_item(parameter, json)
        if parameter is self._claimant:
            return self._of_whole(parameter, json, self._upstream(parameter, json))
        return self._of_field(parameter, json)

    def _of_all(self, parameter: Parameter, json: Json, jsons: List[Json]) -> Any:
        if type(json) is Whole and parameter is self._claimant:
            return self._of_whole(parameter, json, self._gathered(parameter, jsons))
        if type(json) is Whole and parameter.name in json.beside:
            # Beside an object stand no columns of rows, which a default would have to be kept from.
            return self._of_field(parameter, json)
        return super()._of_all(parameter, json, jsons)

    def _of_whole(self, parameter: Parameter, json: Whole, value: Any) -> Any:
        """`value`, or else the field of its name; where that stands beside the object, the next may take the object."""
        if value is not ABSENT:
            return value
        if parameter.name in json.beside:
            self._claimant = next(self._claimants, None)
        return self._of_field(parameter, json)

    def _upstream(self, parameter: Parameter, json: Json) -> Any:
        if type(json) is not Whole:
            return super()._upstream(parameter, json)
        value = json.object
        if parameter.kind is None:
            whole = parameter.required or parameter.default is None
            return value if whole and parameter.name not in json.beside else ABSENT
        try:
            return self._apply(parameter, value)
        except Mismatch as mismatch:
            if parameter.name in json.beside:
                return ABSENT
            if not self._checked:
                return value
            if parameter.required:
                raise wrong(parameter, mismatch) from None
            return ABSENT

    def _gathered(self, parameter: Parameter, jsons: List[Json]) -> Any:
        if not any(type(json) is Whole for json in jsons):
            return super()._gathered(parameter, jsons)
        values = [json.object if type(json) is Whole else json for json in jsons]
        single = len(values) == 1
        if parameter.kind is None:
            return values[0] if single else values
        if not single and all(is_data(type(value)) and self._fit(parameter, value) for value in values):
            return _one_table(parameter, values)
        mismatch: Optional[Mismatch] = None
        for candidate in [values[0], values] if single else [values]:
            try:
                return self._apply(parameter, candidate)
            except Mismatch as error:
                # Of one object, what it is itself is the better message.
                mismatch = mismatch or error
        if type(jsons[0]) is Whole and parameter.name in jsons[0].beside:
            return ABSENT
        if not self._checked:
            return values[0] if single else values
        assert mismatch is not None
        raise wrong(parameter, mismatch, of_items=not single) from None

    def _apply(self, parameter: Parameter, value: Any) -> Any:
        """What `value` becomes for the parameter. Raises Mismatch."""
        kind = parameter.kind
        if kind is None or type(value) in kind.plain:
            return value
        if id(value) in self.shared and self._fit(parameter, value):
            return value
        if type(value) in _JSON:
            try:
                return kind.convert(value)
            except Mismatch:
                if self._fit(parameter, value):
                    return value
                raise
        # A table is an Iterable, but one of its columns' names: rows are what such a parameter means.
        late = kind.element is not None and is_data(type(value)) and self._is_abstract(parameter)
        if not late and self._fit(parameter, value):
            return value
        try:
            return self._converted(kind, value)
        except Mismatch:
            if late and self._fit(parameter, value):
                return value
            raise

    @staticmethod
    def _converted(kind: Kind, value: Any) -> Any:
        if kind.convert is unchanged:
            raise Mismatch(kind.expected, value)
        try:
            return kind.convert(value)
        except Mismatch as mismatch:
            simple = value
            for _ in range(_STEPS):
                try:
                    simple = simplify(simple)
                except (IsFile, OneShot, Refused):
                    raise mismatch from None
                if type(simple) in _JSON:
                    return _applied(kind, simple, mismatch)
            raise

    def _fit(self, parameter: Parameter, value: Any) -> bool:
        """Whether `value` is what the annotation says, as a result would be."""
        kind = self._fits.get(parameter.name)
        if kind is None:
            kind = self._fits[parameter.name] = FitMaker().make(parameter.annotation, self._scope)
        try:
            kind.apply(value)
        except Mismatch:
            return False
        return True

    def _is_abstract(self, parameter: Parameter) -> bool:
        meant = resolve(parameter.annotation, self._scope)
        return getattr(typing.get_origin(meant) or meant, "__module__", "") == "collections.abc"


def _applied(kind: Kind, simple: Any, mismatch: Mismatch) -> Any:
    """What the simple form of an object becomes; `mismatch` is what the object itself met."""
    try:
        return kind.apply(simple)
    except Mismatch as error:
        raise (error if error.path else mismatch) from None


def _one_table(parameter: Parameter, tables: List[Any]) -> Any:
    """The rows of all tables in one, as the items of several branches are the rows of one table."""
    package = type(tables[0]).__module__.partition(".")[0]
    module: Any = sys.modules.get(package)
    try:
        if package == "pandas":
            return module.concat(tables, ignore_index=True)
        if package == "polars":
            return module.concat(tables)
        if package == "pyarrow":
            return module.concat_tables(tables)
        if package == "numpy":
            return module.concatenate(tables)
    except Exception as error:  # tables with other columns, or arrays of another shape
        reason = "the %d tables cannot become one: %s" % (len(tables), message(error))
        raise wrong(parameter, Mismatch(parameter.written, tables, reason)) from None
    return tables
