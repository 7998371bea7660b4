"""Conversions without loss that the sandbox makes when a value crosses a link as JSON."""

from qflow_runner.types import forms
from qflow_runner.types.ancestry import as_class
from qflow_runner.types.forms import Type
from qflow_runner.types.names import TABLES
from qflow_runner.types.showing import a, show
from qflow_runner.types.verdicts import Judgement, converts

_FROM_TEXT = {
    "datetime": "an ISO text is read as a datetime",
    "date": "an ISO text is read as a date",
    "time": "an ISO text is read as a time",
    "Decimal": "text is read as a Decimal",
    "UUID": "text is read as a UUID",
    "Path": "text is read as a path",
    "PurePath": "text is read as a path",
    "PosixPath": "text is read as a path",
    "bytes": "text in base64 is read as bytes",
}
_TO_TEXT = {
    "datetime": "a datetime is written as ISO text",
    "date": "a date is written as ISO text",
    "time": "a time is written as ISO text",
    "UUID": "a UUID is written as text",
    "PurePath": "a path is written as text",
}
_FROM_NUMBER = {
    "timedelta": "a number of seconds is read as a timedelta",
    "Decimal": "the number is read as a Decimal",
}

LISTS = frozenset(
    {
        "list",
        "tuple",
        "set",
        "frozenset",
        "deque",
        "Set",
        "MutableSet",
        "Sequence",
        "MutableSequence",
        "Iterator",
        "Generator",
    }
)
"""What is rebuilt from a list of JSON; Iterable and its like take any of them as they are."""


def scalar(source: Type, target: Type) -> Judgement | None:
    """The conversion of one single value to another kind, if there is one."""
    if not isinstance(target, forms.Name):
        return None
    name = target.name
    if as_class(source, "str") is not None and name in _FROM_TEXT:
        return converts(_FROM_TEXT[name])
    is_number = as_class(source, "int") is not None or as_class(source, "float") is not None
    if name in _FROM_NUMBER and is_number and as_class(source, "bool") is None:
        return converts(_FROM_NUMBER[name])
    if name == "str":
        for known, how in _TO_TEXT.items():
            if as_class(source, known) is not None:
                return converts(how)
    if name == "float" and as_class(source, "timedelta") is not None:
        return converts("a timedelta is written as its seconds")
    if name == "datetime" and isinstance(source, forms.Name) and source.name == "date":
        return converts("a date is read as the datetime of its midnight")
    return None


def table(source: Type, target: Type) -> Judgement | None:
    """Rows to a table, a table to rows, and one kind of table to another."""
    takes = isinstance(target, forms.Name) and target.name in TABLES
    given = any(as_class(source, each) is not None for each in TABLES)
    if takes and given:
        return converts(f"the rows are built into {a(show(target))}")
    return None
