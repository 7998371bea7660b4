"""The classes, aliases, imports and type variables of the code."""

import pytest

from qflow_runner.types import ClassInfo
from tests.unit.analysis.reading import analysis_of


def _class(code: str, name: str = "C", python: str = "3.14") -> ClassInfo:
    return analysis_of(code, python).scope.classes[name]


def _fields(info: ClassInfo) -> str:
    """``a: int, b: str?`` where b may be absent."""
    return ", ".join(f"{f.name}: {f.type}" + ("" if f.required else "?") for f in info.fields)


CLASSES = {
    "plain": ("class C:\n    a: int\n    def m(self): ...", "class", "a: int"),
    "plain, by __init__": (
        "class C:\n    def __init__(self, a: int, b):\n        self.a = a\n        self.b: str = b\n        self.c = 1",
        "class",
        "a: int, b: str, c: ",
    ),
    "dataclass": (
        (
            "from dataclasses import dataclass, field\n@dataclass\nclass C:\n    a: int\n    b: str = 'x'\n"
            "    c: list[int] = field(default_factory=list)\n    d: int = field(repr=False)\n    e: int = field(init=False)"
        ),
        "dataclass",
        "a: int, b: str?, c: list[int]?, d: int, e: int?",
    ),
    "dataclass, what is no field": (
        (
            "import dataclasses as dc\nfrom typing import ClassVar\n@dc.dataclass(frozen=True)\nclass C:\n"
            "    a: ClassVar[int] = 1\n    b: 'ClassVar[int]' = 1\n    _: dc.KW_ONLY\n    c: dc.InitVar[int]\n    d: int\n    e = 3"
        ),
        "dataclass",
        "d: int",
    ),
    "dataclass that inherits": (
        (
            "from dataclasses import dataclass\n@dataclass\nclass A:\n    a: int\n    b: int\n"
            "@dataclass\nclass C(A):\n    b: str\n    c: int = 1"
        ),
        "dataclass",
        "a: int, b: str, c: int?",
    ),
    "subclass of a dataclass, not decorated": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    a: int\nclass C(A):\n    b: int = 1",
        "dataclass",
        "a: int",
    ),
    "base that comes later in the code": (
        "from pydantic import BaseModel\nif True:\n    class A(BaseModel):\n        a: int\nclass C(A):\n    b: int",
        "model",
        "a: int, b: int",
    ),
    "pydantic dataclass": (
        "from pydantic.dataclasses import dataclass\n@dataclass\nclass C:\n    a: int = 1",
        "dataclass",
        "a: int?",
    ),
    "attrs": (
        "from attrs import define, field\n@define\nclass C:\n    a: int\n    b: int = field(default=1)\n    c: int = field(factory=list)",
        "dataclass",
        "a: int, b: int?, c: int?",
    ),
    "attr.s": (
        "import attr\n@attr.s\nclass C:\n    a = attr.ib()\n    b = attr.ib(default=1, type=int)",
        "dataclass",
        "a: Any, b: int?",
    ),
    "TypedDict": (
        "from typing import TypedDict\nclass C(TypedDict):\n    a: int\n    b: str",
        "typeddict",
        "a: int, b: str",
    ),
    "TypedDict, not total": (
        "from typing import TypedDict, Required\nclass C(TypedDict, total=False):\n    a: int\n    b: Required[str]",
        "typeddict",
        "a: int?, b: str",
    ),
    "TypedDict, NotRequired": (
        "import typing as t\nclass C(t.TypedDict):\n    a: t.NotRequired[int]\n    b: 't.NotRequired[int]'\n    c: t.ReadOnly[t.NotRequired[str]]",
        "typeddict",
        "a: int?, b: int?, c: str?",
    ),
    "TypedDict that inherits": (
        "from typing_extensions import TypedDict\nclass A(TypedDict, total=False):\n    a: int\nclass C(A):\n    b: str",
        "typeddict",
        "a: int?, b: str",
    ),
    "TypedDict by call": (
        "from typing import TypedDict, NotRequired\nC = TypedDict('C', {'a': int, 'b-c': NotRequired[str]})",
        "typeddict",
        "a: int, b-c: str?",
    ),
    "TypedDict by call, not total": (
        "from typing import TypedDict\nC = TypedDict('C', {'a': 'int'}, total=False)",
        "typeddict",
        "a: int?",
    ),
    "NamedTuple": (
        "from typing import NamedTuple\nclass C(NamedTuple):\n    a: int\n    b: str = ''",
        "namedtuple",
        "a: int, b: str?",
    ),
    "NamedTuple by call": (
        "from typing import NamedTuple\nC = NamedTuple('C', [('a', int), ('b', 'str')])",
        "namedtuple",
        "a: int, b: str",
    ),
    "namedtuple": (
        "import collections\nC = collections.namedtuple('C', 'a, b c', defaults=(1,))",
        "namedtuple",
        "a: Any, b: Any, c: Any?",
    ),
    "namedtuple of a list": (
        "from collections import namedtuple\nC = namedtuple('C', ['a', 'b'])",
        "namedtuple",
        "a: Any, b: Any",
    ),
    "subclass of a named tuple": (
        "from typing import NamedTuple\nclass A(NamedTuple):\n    a: int\nclass C(A):\n    b: str = ''",
        "namedtuple",
        "a: int",
    ),
    "model": (
        (
            "from pydantic import BaseModel, Field\nclass C(BaseModel):\n    model_config = {}\n    _p: int = 1\n    a: int\n"
            "    b: int = Field(gt=1)\n    c: int = Field(...)\n    d: int = Field(1)\n    e: list[int] = Field(default_factory=list)\n"
            "    f: int | None = None\n    def m(self): ..."
        ),
        "model",
        "a: int, b: int, c: int, d: int?, e: list[int]?, f: int | None?",
    ),
    "Protocol": (
        "from typing import Protocol\nclass C(Protocol):\n    a: int\n    @property\n    def b(self) -> str: ...\n    def m(self): ...",
        "protocol",
        "a: int, b: str",
    ),
    "NewType": ("from typing import NewType\nC = NewType('C', int)", "newtype", ""),
    "quoted": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    a: 'C | None' = None",
        "dataclass",
        "a: C | None?",
    ),
    "star import": ("from dataclasses import *\n@dataclass\nclass C:\n    a: int", "dataclass", "a: int"),
}


@pytest.mark.parametrize(("code", "kind", "fields"), CLASSES.values(), ids=CLASSES)
def test_class(code: str, kind: str, fields: str) -> None:
    """A class has a kind, and the fields that its values have, with those that it inherits."""
    info = _class(code)

    assert (kind, fields) == (info.kind, _fields(info))


ENUMS = {
    "class C(Enum):\n    A = 1\n    B = 'x'\n    _ignore_ = []\n    def m(self): ...": ("1", "'x'"),
    "class C(Enum):\n    A = auto()\n    B = auto()\n    C = 7\n    D = auto()": ("1", "2", "7", "8"),
    "class C(str, Enum):\n    A = 'a'": ("'a'",),
    "class C(IntEnum):\n    A = 1\n    ALSO_A = 1": ("1",),
    "class C(StrEnum):\n    RED = auto()\n    BLUE = 'b'": ("'red'", "'b'"),
    "class C(Flag):\n    A = auto()\n    B = auto()\n    C = auto()": ("1", "2", "4"),
    "C = Enum('C', 'A B')": ("1", "2"),
    "C = Enum('C', {'A': 'x'})": ("'x'",),
    "class B(Enum):\n    pass\nclass C(B):\n    A = 3": ("3",),
}


@pytest.mark.parametrize(("code", "values"), ENUMS.items())
def test_enum(code: str, values: tuple[str, ...]) -> None:
    """An enum has the values of its members as they are written, counted where auto() counts."""
    info = _class("from enum import *\n" + code)

    assert ("enum", values, ()) == (info.kind, info.values, info.fields)


def test_bases_methods_and_parameters() -> None:
    """A class has its bases as written, its methods with those it inherits, and its type parameters."""
    info = _class(
        "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass A:\n    def a(self): ...\n"
        "class C(A, Generic[T]):\n    async def b(self): ..."
    )

    assert (("A", "Generic[T]"), ("a", "b"), ("T",)) == (info.bases, info.methods, info.parameters)
    assert ("int",) == _class("from typing import NewType\nC = NewType('C', int)").bases


def test_nested_classes() -> None:
    """A class in a class has the dotted name by which annotations know it."""
    assert "a: int" == _fields(_class("class C:\n    class D:\n        a: int", "C.D"))


ALIASES = {
    "X = list[int]": "list[int]",
    "X = dict": "dict",
    "X = int | None": "int | None",
    "import pandas as pd\nX = pd.DataFrame": "pd.DataFrame",
    "from typing import Union\nX = Union[int, 'str']": "Union[int, 'str']",
    "from typing import TypeAlias\nX: TypeAlias = 'list[Y]'\nclass Y: ...": "list[Y]",
    "type X = list[int]": "list[int]",
    "type X = 'Y'\nclass Y: ...": "Y",
    "type X[T] = dict[str, T]": "dict[str, T]",
    "from typing import TypeAliasType\nX = TypeAliasType('X', int)": "int",
    "class Y: ...\nX = Y": "Y",
    "class Y: ...\nX = list[Y] | None": "list[Y] | None",
    "try:\n    from m import X\nexcept ImportError:\n    X = int": None,
    "X = 3": None,
    "X = data[0]": None,
    "data = {}\nX = data['a']": None,
    "X = f()": None,
    "X = None": None,
    "X = 1 | 2": None,
}


@pytest.mark.parametrize(("code", "alias"), ALIASES.items())
def test_alias(code: str, alias: str | None) -> None:
    """A name that stands for a type is an alias, a name for a value is none."""
    assert alias == analysis_of(code, "3.14").scope.aliases.get("X")


IMPORTS = {
    "import pandas as pd": {"pd": "pandas"},
    "import os.path": {"os": "os"},
    "import xml.etree.ElementTree as ET": {"ET": "xml.etree.ElementTree"},
    "from typing import List, Dict as D": {"List": "typing.List", "D": "typing.Dict"},
    "from __future__ import annotations": {"annotations": "__future__.annotations"},
    "from . import a\nfrom .b import c": {"a": ".a", "c": ".b.c"},
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas as pd": {
        "TYPE_CHECKING": "typing.TYPE_CHECKING",
        "pd": "pandas",
    },
    "try:\n    import orjson as json\nexcept ImportError:\n    import json": {"json": "orjson"},
    "try:\n    import a\nexcept ImportError:\n    import b": {"a": "a", "b": "b"},
    "def f():\n    import a": {},
    "import a\na = 3": {},
}


@pytest.mark.parametrize(("code", "imports"), IMPORTS.items())
def test_imports(code: str, imports: dict[str, str]) -> None:
    """Names that imports of the module bind mean what they were imported as."""
    assert imports == analysis_of(code).scope.imports


VARIABLES = {
    "from typing import TypeVar\nT = TypeVar('T')": {"T": ""},
    "from typing import TypeVar\nT = TypeVar('T', bound='int')": {"T": "int"},
    "import typing as t\nT = t.TypeVar('T', int, str)": {"T": "int | str"},
    "from typing import ParamSpec\nP = ParamSpec('P')": {"P": ""},
    "def f[T: int, *Ts, **P](x: T) -> T: ...": {"T": "int", "Ts": "", "P": ""},
    "class C[T = int]: ...": {"T": ""},
    "type X[K: (int, str)] = list[K]": {"K": "(int, str)"},
}


@pytest.mark.parametrize(("code", "variables"), VARIABLES.items())
def test_type_variables(code: str, variables: dict[str, str]) -> None:
    """Type variables and type parameters are known with their bounds."""
    assert variables == analysis_of(code, "3.14").scope.variables
