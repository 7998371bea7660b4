"""How a type relates to n8n's items: what many rows are, which fields an item has, and what stands alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from qflow_runner.types import forms
from qflow_runner.types.ancestry import ancestors, as_class
from qflow_runner.types.forms import ANY, NONE, Type, union
from qflow_runner.types.grammar import TypeSyntax, parse, parse_bound
from qflow_runner.types.names import TABLES

ROW = forms.Name("dict", (forms.Name("str"), ANY))
"""A row of a table."""

_MANY = (
    "list",
    "tuple",
    "set",
    "frozenset",
    "deque",
    "Iterator",
    "AsyncIterator",
    "Set",
    "Sequence",
    "Iterable",
    "AsyncIterable",
    "Collection",
    "Reversible",
)
ARRAYS = frozenset(
    {
        *("numpy.ndarray", "pandas.Series", "pandas.Index", "polars.Series"),
        *("pyarrow.Array", "pyarrow.ChunkedArray"),
    }
)
"""Many values without names."""
_SINGLE = frozenset({"str", "bytes", "bytearray", "memoryview"})
_MAPPINGS = frozenset({"dict", "Mapping"})
_GIVEN = frozenset({"qflow.Context", "qflow.Secret"})
_FILES = frozenset({"qflow.File", "qflow.Image", "PIL.Image.Image", "BinaryIO", "io.BytesIO"})
_FILE_OR_TEXT = frozenset({"bytes", "bytearray", "Path", "PosixPath"})
_BECOMES_FILE = _FILES | _FILE_OR_TEXT | {"memoryview", "TextIO", "io.StringIO"}
_RECORDS = frozenset({"dataclass", "typeddict", "namedtuple", "model"})


@dataclass(frozen=True)
class Field:
    type: Type
    required: bool


def gives(t: Type) -> Type | None:
    """The element type, if a returned value becomes one item per element."""
    if isinstance(t, forms.Fixed):
        return union(t.elements) if t.elements else ANY
    if isinstance(t, forms.Union):
        each = [gives(member) for member in t.members if member != NONE]
        return union([one for one in each if one is not None]) if each and all(each) else None
    if isinstance(t, forms.Own) and t.info.kind in _RECORDS:
        return None
    if isinstance(t, forms.Name) and t.name in ARRAYS:
        return ANY
    return _element(t, _MANY)


def gathers(t: Type) -> Type | None:
    """The element type, if a parameter takes all items at once."""
    if isinstance(t, forms.Union):
        each = [gathers(member) for member in t.members if member != NONE]
        return union([one for one in each if one is not None]) if each and all(each) else None
    if isinstance(t, forms.Own | forms.Fixed):
        return None
    if isinstance(t, forms.Name) and t.name in ARRAYS:
        return ANY
    return _element(t, tuple(name for name in _MANY if not name.startswith("Async")))


def _element(t: Type, names: tuple[str, ...]) -> Type | None:
    if isinstance(t, forms.Name) and (t.name in _SINGLE or as_class(t, "Mapping") is not None):
        return None
    for each in ancestors(t):
        if isinstance(each, forms.Name) and each.name in TABLES:
            return ROW
        if isinstance(each, forms.Name) and each.name in names:
            return each.args[0] if each.args else ANY
    return None


def is_given(t: Type) -> bool:
    """Whether a parameter of this type is filled by no item's JSON: a file of the item, the run's context, a secret."""
    return _is_all(t, _GIVEN | _FILES)


def takes_file(t: Type) -> bool:
    """Whether a file of the item may be what a parameter of this type gets."""
    if isinstance(t, forms.Union):
        return any(map(takes_file, t.members))
    return _is_all(t, _FILES | _FILE_OR_TEXT)


def is_file(t: Type) -> bool:
    """Whether a returned value of this type lies beside the fields of its item, as a file."""
    if isinstance(t, forms.Name) and t.name == "IO":
        return True
    return not (isinstance(t, forms.Name) and t.args) and _is_all(t, _BECOMES_FILE)


def _is_all(t: Type, names: frozenset[str]) -> bool:
    if isinstance(t, forms.Union):
        real = [member for member in t.members if member != NONE]
        return bool(real) and all(_is_all(member, names) for member in real)
    if not isinstance(t, forms.Name):
        return False
    if t.name == "IO":
        return t.args == (forms.Name("bytes"),) and "BinaryIO" in names
    if t.args and (t.name in _MANY or t.name in _MAPPINGS):
        return _is_all(t.args[-1], names - _GIVEN)
    return t.name in names


def fields_of(t: Type) -> Mapping[str, Field] | None:
    """The fields of an item, or None where they are not known."""
    if not isinstance(t, forms.Own) or t.info.kind not in _RECORDS:
        return None
    bound = dict(zip(t.info.parameters, t.args, strict=False))
    return {each.name: Field(_read(each.type, t, bound), each.required) for each in t.info.fields}


def is_item(t: Type) -> bool | None:
    """Whether a value is an item with fields of its own; otherwise it becomes ``{"value": …}``. None: cannot say."""
    if isinstance(t, forms.Any) or t == forms.OBJECT:
        return None
    if isinstance(t, forms.Union):
        each = {is_item(member) for member in t.members if member != NONE or len(t.members) == 1}
        return each.pop() if len(each) == 1 else None
    if isinstance(t, forms.Own):
        if t.info.kind in _RECORDS:
            return True
        return True if as_class(t, "Mapping") is not None else (None if t.info.kind == "protocol" else False)
    return as_class(t, "Mapping") is not None


def list_of(t: Type) -> Type:
    return forms.Name("list", (t,))


def dict_of(t: Type) -> Type:
    """The item ``{"value": …}`` of a value that stands alone."""
    return forms.Name("dict", (forms.Name("str"), t))


def _read(text: str, t: forms.Own, bound: Mapping[str, Type]) -> Type:
    try:
        return parse_bound(text, t.scope, bound) if bound else parse(text, t.scope)
    except TypeSyntax:
        return forms.Any(text[:60])
