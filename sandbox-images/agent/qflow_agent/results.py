"""Writes what the function returned as n8n items, in JSON.

A value with fields is one item; a list, a set or an iterator is one item per element; anything else is one item
``{"value": …}``. A dict in the form of an n8n item, ``{"json": {…}, …}``, is that item. Every item is written when
its value is there: what the code does with the same object later is not seen in it.
"""

from itertools import repeat
from operator import is_
from time import perf_counter
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from qflow_agent import codec
from qflow_agent.body import Json
from qflow_agent.files import Outbox, is_file, with_binary
from qflow_agent.kinds import Step
from qflow_agent.plain import MAX_DEPTH, Notes, Plain, refusal, unfit
from qflow_agent.problem import TimeLimit
from qflow_agent.tables import opener_of
from qflow_agent.values import IsFile, OneShot, Refused, simplify

if TYPE_CHECKING:
    from qflow_agent.keeping import Keeper

_SCALARS = frozenset({str, int, float, bool, type(None)})
_FILE_ADVICE = "Return bytes, a Path of a file that is there, a File, a picture or a figure."
_ITEM_KEYS = frozenset({"json", "binary", "pairedItem", "error"})


class ItemWriter:
    """Collects the JSON of items. `code_seconds` is the time that iterators of the code took to give elements."""

    def __init__(self, keeper: "Optional[Keeper]" = None, outbox: Optional[Outbox] = None) -> None:
        """With a keeper, references may stand for what is no simple value. Files go out through `outbox`."""
        self._outbox = outbox or Outbox()
        self._keeper = keeper
        self._simplify = simplify if keeper is None else keeper.simplify
        self._parts: List[bytes] = []
        self._notes = Notes()
        self.code_seconds = 0.0

    @property
    def items(self) -> int:
        return len(self._parts)

    @property
    def notes(self) -> Notes:
        """What was changed on the way, for the hints."""
        return self._notes

    def take(self) -> List[bytes]:
        """The items since the last call, which are none of this writer's any more."""
        parts, self._parts = self._parts, []
        return parts

    def add(self, parts: List[bytes]) -> None:
        """Items that another writer made."""
        self._parts += parts

    def payload(self) -> bytes:
        return b"[" + b",".join(self._parts) + b"]"

    def hints(self) -> List[str]:
        return self._notes.hints()

    def write(self, value: Any, number: Optional[int] = None, inputs: Sequence[Json] = ()) -> None:
        """All that one call returned, or nothing of it when this raises.

        `number` is the input item that it was made from. Without one, `inputs` are all input items, and what is
        the very same object as one of them is paired with it. Raises Problem (result_type), and what the
        returned objects raise.
        """
        if self._outbox.added:
            added, at = self._outbox.take(), len(self._parts)
            # A call that gives nothing but files makes no {"value": null} of it.
            self.write({} if value is None else value, number, inputs)
            self._attach(at, number, added)
            return
        keeper = self._keeper
        if keeper is not None:
            keeper.begin(number)
            if keeper.whole:
                number = _pair(value, inputs) if number is None else number
                self._parts.append(codec.dumps_item(keeper.reference(value), number, None))
                return
        cls = type(value)
        simple = cls is dict and "json" not in value
        fields = _fields_of(value) if cls is dict and len(value) == 1 else value
        if simple or fields is not value or cls in _SCALARS:
            if inputs:
                number = _pair(fields, inputs)
            try:
                # What most calls return takes the shortest way.
                self._parts.append(
                    codec.dumps_item(
                        fields if cls not in _SCALARS else {"value": value}, number, self._simplify
                    )
                )
            except codec.NotPlain as error:
                _stop_at_time_limit(error)
                self._write_single(value, number, [])
            return
        written = len(self._parts)
        try:
            self._write_any(value, number, inputs)
        except BaseException:
            del self._parts[written:]
            raise

    def write_error(self, json: Json, number: int, document: Json) -> None:
        """In place of a failed item's results: its input, with the problem beside it."""
        if self._keeper is not None:
            self._keeper.forget(number)
        self._outbox.take()
        self._append({"json": json, "pairedItem": number, "error": document}, [])

    def _write_any(self, value: Any, number: Optional[int], inputs: Sequence[Json]) -> None:
        if inputs and isinstance(value, dict) and not dict.__contains__(value, "pairedItem"):
            number = _pair(_fields_of(value), inputs)
        value = self._settled(value, [])
        if type(value) is list or type(value) is tuple:
            self._write_rows(value, number, inputs)
        elif _is_read_once(value):
            for index, element in enumerate(self._timed(value)):
                at = len(self._parts)
                self._write_element(element, number, index)
                if self._outbox.added:
                    self._attach(at, number, self._outbox.take())
            if self._outbox.added:
                self._attach(len(self._parts), number, self._outbox.take())
        else:
            self._write_single(value, number, [])

    def _write_rows(self, rows: Sequence[Any], number: Optional[int], inputs: Sequence[Json]) -> None:
        fields = rows
        quick = bool(rows) and all(issubclass(cls, dict) for cls in set(map(type, rows)))
        if quick and any(map(dict.__contains__, rows, repeat("json"))):
            fields = [_fields_of(row) for row in rows]
            quick = all(map(_is_bare, rows, fields))
        numbers = _pairs(fields, inputs) if number is None else [number] * len(rows)
        if quick:
            try:
                self._parts += codec.dumps_items(fields, numbers, self._simplify)
                return
            except codec.NotPlain as error:
                _stop_at_time_limit(error)
        # One by one, to know which it is that needs simplifying, or cannot be.
        for index, (row, paired) in enumerate(zip(rows, numbers)):
            own = number is None and isinstance(row, dict) and dict.__contains__(row, "pairedItem")
            self._write_element(row, None if own else paired, index)

    def _write_element(self, element: Any, number: Optional[int], index: int) -> None:
        element = self._settled(element, [index])
        if _is_read_once(element):
            element = list(element)
        self._write_single(element, number, [index])

    def _write_single(self, value: Any, number: Optional[int], path: List[Step]) -> None:
        is_dict = type(value) is dict
        if is_dict and _fields_of(value) is not value:
            self._append(value if number is None else {**value, "pairedItem": number}, path)
            return
        try:
            part = codec.dumps_item(value if is_dict else {"value": value}, number, self._simplify)
        except codec.NotPlain as error:
            _stop_at_time_limit(error)
            fields, binary = self._divided(value if is_dict else {"value": value}, path, single=not is_dict)
            plain = Plain(self._notes, path, self._simplify)
            converted = plain.convert(fields) if is_dict or binary else {"value": plain.convert(value)}
            part = with_binary(codec.dumps_item(converted, number, None), binary)
        self._parts.append(part)

    def _settled(self, value: Any, path: List[Step]) -> Any:
        """`value` as one of JSON's types, a tuple or an iterator."""
        for _ in range(MAX_DEPTH):
            cls = type(value)
            if cls in _SCALARS or cls is dict or cls is list or cls is tuple:
                return value
            if self._keeper is not None:
                kept = self._keeper.item(value)
                if kept is not value:
                    return kept
            opener = opener_of(cls)
            if opener is not None:
                value = opener(value, self._notes)
                continue
            try:
                value = self._simplify(value)
            except (OneShot, IsFile):
                return value
            except Refused as error:
                raise unfit(path, cls, str(error)) from None
        raise unfit(path, type(value), "Its own conversion never comes to an end.")

    def _append(self, item: Dict[str, Any], path: List[Step]) -> None:
        """An item that has its form already."""
        try:
            part = codec.dumps_fast(item, self._simplify)
        except codec.NotPlain as error:
            _stop_at_time_limit(error)
            item = self._handed(self._outbox.item, item, path)
            part = codec.dumps(Plain(self._notes, path, self._simplify).convert(item))
        self._parts.append(part)

    def _divided(self, fields: Json, path: List[Step], *, single: bool) -> Tuple[Json, Json]:
        """The fields and the files of an item; `single`: it is nothing but its value."""
        if single:
            value = fields["value"]
            return ({}, self._handed(self._outbox.single, value, path)) if is_file(value) else (fields, {})
        return self._handed(self._outbox.split, fields, path)

    def _handed(self, hand: Callable[[Any], Any], value: Any, path: List[Step]) -> Any:
        try:
            return hand(value)
        except (ValueError, OSError) as error:
            raise refusal(path, type(value), "cannot become a file (%s)" % error, _FILE_ADVICE) from None

    def _attach(self, at: int, number: Optional[int], added: Json) -> None:
        """Give the files that the code added to the item at `at`, or to one of their own where there is none."""
        if at >= len(self._parts):
            self._parts.append(codec.dumps_item({}, number, None))
        self._parts[at] = with_binary(self._parts[at], added)

    def _timed(self, iterator: Iterator[Any]) -> Iterator[Any]:
        """The elements; the time they take is the code's."""
        while True:
            started = perf_counter()
            try:
                element = next(iterator)
            except StopIteration:
                return
            finally:
                self.code_seconds += perf_counter() - started
            yield element


def _is_read_once(value: Any) -> bool:
    """An open file gives its lines as an iterator does, and is meant as the file."""
    return hasattr(type(value), "__next__") and not is_file(value)


def _fields_of(row: Any) -> Any:
    """What a dict in the form of an n8n item holds as `json`; any other row itself."""
    if isinstance(row, dict) and dict.__contains__(row, "json") and _ITEM_KEYS.issuperset(dict.keys(row)):
        fields = dict.__getitem__(row, "json")
        return fields if isinstance(fields, dict) else row
    return row


def _is_bare(row: Any, fields: Any) -> bool:
    return row is fields or len(row) == 1


def _stop_at_time_limit(error: BaseException) -> None:
    """orjson reports whatever a conversion raised as its own error; the time limit has to go on through it."""
    if isinstance(error.__cause__, TimeLimit):
        raise error.__cause__


def _pair(value: Any, inputs: Sequence[Json]) -> Optional[int]:
    """Which input item `value` is, where it is one itself."""
    return next((index for index, json in enumerate(inputs) if json is value), None)


def _pairs(rows: Sequence[Any], inputs: Sequence[Json]) -> Sequence[Optional[int]]:
    """Which input item each row is, where rows are input items themselves: filtered, sorted, or changed in place."""
    unknown = [None] * len(rows)  # no iterator: rows that have to be written one by one ask again
    if not rows or not inputs:
        return unknown
    if len(rows) == len(inputs) and all(map(is_, rows, inputs)):
        return range(len(rows))
    first = rows[0]
    if not any(map(is_, inputs, repeat(first))):
        return unknown
    # The inputs are alive, so that no other object has the id of one of them.
    index = dict(zip(map(id, inputs), range(len(inputs))))
    return [index.get(id(row)) for row in rows]
