"""JSON in and out: orjson where it is at hand, the standard library otherwise, with the same results.

What is written is JSON that JavaScript reads back exactly: whole numbers stay within ±(2^53 - 1), NaN and
the infinities are null, strings are valid UTF-8.
"""

import json
from typing import Any, Callable, Iterable, List, Optional, Union

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

Buffer = Union[bytes, bytearray, memoryview]

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest whole number up to which JavaScript tells neighbours apart."""

FAST = orjson is not None

_OPTIONS = (
    orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    if orjson is not None
    else 0
)
"""A dataclass gives its fields, where orjson would give whatever stands in its __dict__. Dates go by their own
isoformat: orjson 3.13 loses a zero of some times' fractions, and every version the seconds of an offset."""


class NotPlain(Exception):
    """`dumps_fast` met a value that has to be simplified first."""


def loads(buffer: Buffer) -> Any:
    """The value that `buffer` is the JSON of. Raises ValueError for anything else."""
    if orjson is not None:
        try:
            return orjson.loads(buffer)
        except ValueError:
            # It may be half a surrogate pair, which JavaScript writes as an escape: only the slow way reads it.
            pass
    try:
        return json.loads(bytes(buffer), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def dumps(value: Any) -> bytes:
    """JSON of a value made of nothing but dict, list, str, int, float, bool and None, as `plain` leaves it."""
    if orjson is not None:
        return orjson.dumps(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def dumps_fast(value: Any, default: Callable[[Any], Any]) -> bytes:
    """JSON of a value that may hold anything, in one pass through orjson; `default` simplifies single objects.

    Raises NotPlain where that is not enough, with what `default` raised as its cause.
    """
    if orjson is None:
        raise NotPlain
    try:
        return orjson.dumps(value, default, _OPTIONS)
    except TypeError as error:
        raise NotPlain from _root(error)


def dumps_item(fields: Any, number: Optional[int], default: Optional[Callable[[Any], Any]]) -> bytes:
    """The n8n item of `fields`, made from the input item `number`. Raises NotPlain as `dumps_fast` does.

    Without `default`, `fields` is plain, and this does not fail.
    """
    if default is None:
        part = dumps(fields)
    elif orjson is None:
        raise NotPlain
    else:
        try:
            part = orjson.dumps(fields, default, _OPTIONS)
        except TypeError as error:
            raise NotPlain from _root(error)
    return b'{"json":%b}' % part if number is None else b'{"json":%b,"pairedItem":%d}' % (part, number)


def dumps_items(
    rows: Iterable[Any], numbers: Iterable[Optional[int]], default: Callable[[Any], Any]
) -> List[bytes]:
    """One n8n item per row, as `dumps_item` makes it. Raises NotPlain."""
    if orjson is None:
        raise NotPlain
    # Row by row is faster than all in one go: it needs no dict around each, which for many rows is the greater cost.
    encode = orjson.dumps
    try:
        return [
            b'{"json":%b}' % encode(row, default, _OPTIONS)
            if number is None
            else b'{"json":%b,"pairedItem":%d}' % (encode(row, default, _OPTIONS), number)
            for row, number in zip(rows, numbers)
        ]
    except TypeError as error:
        raise NotPlain from _root(error)


def _root(error: BaseException) -> Optional[BaseException]:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _refuse_constant(name: str) -> None:
    raise ValueError("%s is not JSON" % name)
