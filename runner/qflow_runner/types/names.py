"""The classes that are known by name: what else they are called, what they derive from, and with which arguments."""

from typing import Final

_ABSTRACT = [
    "AsyncGenerator",
    "AsyncIterable",
    "AsyncIterator",
    "Awaitable",
    "ByteString",
    "Callable",
    "Collection",
    "Container",
    "Coroutine",
    "Generator",
    "Hashable",
    "ItemsView",
    "Iterable",
    "Iterator",
    "KeysView",
    "Mapping",
    "MappingView",
    "MutableMapping",
    "MutableSequence",
    "MutableSet",
    "Reversible",
    "Sequence",
    "Sized",
    "ValuesView",
]
_TYPING_NAMES = {
    "List": "list",
    "Dict": "dict",
    "Set": "set",
    "FrozenSet": "frozenset",
    "Tuple": "tuple",
    "Type": "type",
}
_COLLECTIONS = {
    "Deque": "deque",
    "DefaultDict": "defaultdict",
    "OrderedDict": "OrderedDict",
    "Counter": "Counter",
}
_SPECIAL = [
    "Any",
    "AnyStr",
    "Optional",
    "Union",
    "Literal",
    "Annotated",
    "Final",
    "ClassVar",
    "Required",
    "NotRequired",
    "ReadOnly",
    "Unpack",
    "Callable",
    "Never",
    "NoReturn",
    "Self",
    "LiteralString",
    "Text",
    "Type",
    "Protocol",
    "Generic",
    "NamedTuple",
    "TypedDict",
    "SupportsInt",
    "SupportsFloat",
    "SupportsIndex",
    "SupportsAbs",
    "SupportsRound",
    "SupportsBytes",
    "SupportsComplex",
    "TypeGuard",
    "TypeIs",
    "Concatenate",
    "IO",
    "TextIO",
    "BinaryIO",
    "Pattern",
    "Match",
    "TypeAlias",
]
_STANDARD = {
    "datetime": ("datetime", "date", "time", "timedelta", "timezone", "tzinfo"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "pathlib": ("Path", "PurePath", "PosixPath", "PurePosixPath"),
    "enum": ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"),
    "collections": ("deque", "defaultdict", "OrderedDict", "Counter", "ChainMap"),
    "zoneinfo": ("ZoneInfo",),
    "re": ("Pattern", "Match"),
}

BUILTINS: Final = frozenset(
    [
        "int",
        "float",
        "complex",
        "bool",
        "str",
        "bytes",
        "bytearray",
        "memoryview",
        "list",
        "dict",
        "set",
        "frozenset",
        "tuple",
        "range",
        "slice",
        "type",
        "object",
        "BaseException",
        "Exception",
        "number",
        "None",
    ]
)


def _canonical() -> dict[str, str]:
    names: dict[str, str] = {f"builtins.{name}": name for name in BUILTINS}
    for module in ("typing", "typing_extensions"):
        names |= {f"{module}.{name}": name for name in (*_SPECIAL, *_ABSTRACT)}
        names |= {f"{module}.{name}": meant for name, meant in (_TYPING_NAMES | _COLLECTIONS).items()}
        names[f"{module}.AbstractSet"] = "Set"
        names[f"{module}.Text"] = "str"
        names[f"{module}.LiteralString"] = "str"
    names |= {f"collections.abc.{name}": name for name in _ABSTRACT}
    names["collections.abc.Set"] = "Set"
    names["collections.abc.Callable"] = "Callable"
    for module, members in _STANDARD.items():
        names |= {f"{module}.{name}": name for name in members}
    names |= {"types.NoneType": "None", "types.UnionType": "Union", "numbers.Number": "number"}
    names |= {"numbers.Real": "number", "re.Pattern": "Pattern", "re.Match": "Match"}
    names |= {"numpy.typing.NDArray": "numpy.ndarray", "pandas.core.frame.DataFrame": "pandas.DataFrame"}
    names |= {"polars.dataframe.frame.DataFrame": "polars.DataFrame", "pyarrow.lib.Table": "pyarrow.Table"}
    return names


CANONICAL: Final = _canonical()
"""Qualified name to the one that types are written with here."""

BARE: Final = (
    BUILTINS
    | frozenset(_SPECIAL)
    | frozenset(_ABSTRACT)
    | frozenset(name for members in _STANDARD.values() for name in members)
)
"""Names that mean the same without an import, where the scope says nothing else."""

BARE_ALIASES: Final = {
    **_TYPING_NAMES,
    **_COLLECTIONS,
    "AbstractSet": "Set",
    "Text": "str",
    "LiteralString": "str",
    "NoneType": "None",
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "ndarray": "numpy.ndarray",
}

# What a class derives from. An argument is the number of one of its own, or a class by name.
SUPER: Final[dict[str, tuple[tuple[str, tuple[int | str, ...]], ...]]] = {
    "bool": (("int", ()),),
    "str": (("Sequence", ("str",)), ("Hashable", ())),
    "bytes": (("Sequence", ("int",)), ("Hashable", ())),
    "bytearray": (("MutableSequence", ("int",)),),
    "memoryview": (("Sequence", ("int",)),),
    "range": (("Sequence", ("int",)), ("Hashable", ())),
    "int": (("Hashable", ()),),
    "float": (("Hashable", ()),),
    "list": (("MutableSequence", (0,)),),
    "deque": (("MutableSequence", (0,)),),
    "tuple": (("Sequence", (0,)), ("Hashable", ())),
    "set": (("MutableSet", (0,)),),
    "frozenset": (("Set", (0,)), ("Hashable", ())),
    "dict": (("MutableMapping", (0, 1)),),
    "defaultdict": (("dict", (0, 1)),),
    "OrderedDict": (("dict", (0, 1)),),
    "Counter": (("dict", (0, "int")),),
    "ChainMap": (("MutableMapping", (0, 1)),),
    "MutableSequence": (("Sequence", (0,)),),
    "Sequence": (("Reversible", (0,)), ("Collection", (0,))),
    "MutableSet": (("Set", (0,)),),
    "Set": (("Collection", (0,)),),
    "MutableMapping": (("Mapping", (0, 1)),),
    "Mapping": (("Collection", (0,)),),
    "KeysView": (("Set", (0,)),),
    "ItemsView": (("Set", (0,)),),
    "ValuesView": (("Collection", (0,)),),
    "Collection": (("Iterable", (0,)), ("Container", (0,)), ("Sized", ())),
    "Reversible": (("Iterable", (0,)),),
    "Generator": (("Iterator", (0,)),),
    "Iterator": (("Iterable", (0,)),),
    "AsyncGenerator": (("AsyncIterator", (0,)),),
    "AsyncIterator": (("AsyncIterable", (0,)),),
    "Coroutine": (("Awaitable", (2,)),),
    "datetime": (("date", ()),),
    "timezone": (("tzinfo", ()),),
    "ZoneInfo": (("tzinfo", ()),),
    "Path": (("PurePath", ()),),
    "PosixPath": (("Path", ()),),
    "PurePosixPath": (("PurePath", ()),),
    "IntEnum": (("Enum", ()), ("int", ())),
    "StrEnum": (("Enum", ()), ("str", ())),
    "Flag": (("Enum", ()),),
    "IntFlag": (("Flag", ()), ("int", ())),
    "Exception": (("BaseException", ()),),
    "pandas.Timestamp": (("datetime", ()),),
    "pandas.Timedelta": (("timedelta", ()),),
    "geopandas.GeoDataFrame": (("pandas.DataFrame", ()),),
    "numpy.float64": (("numpy.floating", ()), ("float", ())),
    "numpy.float32": (("numpy.floating", ()),),
    "numpy.float16": (("numpy.floating", ()),),
    "numpy.floating": (("numpy.inexact", ()),),
    "numpy.complexfloating": (("numpy.inexact", ()),),
    "numpy.inexact": (("numpy.number", ()),),
    "numpy.integer": (("numpy.number", ()),),
    "numpy.signedinteger": (("numpy.integer", ()),),
    "numpy.unsignedinteger": (("numpy.integer", ()),),
    "numpy.number": (("numpy.generic", ()),),
    "numpy.bool_": (("numpy.generic", ()),),
    "numpy.str_": (("numpy.generic", ()), ("str", ())),
    "numpy.bytes_": (("numpy.generic", ()), ("bytes", ())),
    "numpy.datetime64": (("numpy.generic", ()),),
    "numpy.matrix": (("numpy.ndarray", ()),),
    **{f"numpy.int{bits}": (("numpy.signedinteger", ()),) for bits in (8, 16, 32, 64)},
    **{f"numpy.uint{bits}": (("numpy.unsignedinteger", ()),) for bits in (8, 16, 32, 64)},
}

TABLES: Final = frozenset(
    {"pandas.DataFrame", "geopandas.GeoDataFrame", "polars.DataFrame", "pyarrow.Table", "pyarrow.RecordBatch"}
)
"""Rows with named columns, which become items and are made of them."""

GENERIC_ARITY: Final = {
    "Mapping": 2,
    "MutableMapping": 2,
    "dict": 2,
    "defaultdict": 2,
    "OrderedDict": 2,
    "ItemsView": 2,
}
