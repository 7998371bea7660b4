"""The classes and aliases that the table of pairs mentions."""

from qflow_runner.types import ClassInfo, FieldInfo, Scope
from qflow_runner.types.scope import ClassKind


def cls(
    name: str, kind: ClassKind, fields: str = "", *bases: str, methods: str = "", values: tuple[str, ...] = ()
) -> ClassInfo:
    """Fields as "item: str; note?: str": a question mark marks one that may be missing."""
    read = [each.strip().partition(":") for each in fields.split(";") if each.strip()]
    return ClassInfo(
        name,
        kind,
        bases=bases,
        fields=tuple(FieldInfo(f.rstrip("?"), t.strip(), not f.endswith("?")) for f, _, t in read),
        methods=tuple(methods.split()),
        values=values,
    )


_CLASSES = [
    cls("Order", "dataclass", "item: str; price: float; note?: str"),
    cls("BigOrder", "dataclass", "item: str; price: float; note?: str; size: int", "Order"),
    cls("Priced", "dataclass", "price: float"),
    cls("Named", "dataclass", "item: str"),
    cls("Big", "dataclass", "item: str; price: int; extra: bytes"),
    cls("Strange", "dataclass", "item: str; price: str"),
    cls("Model", "model", "item: str; price: float", "pydantic.BaseModel"),
    cls("Point", "namedtuple", "x: float; y: float"),
    cls("PointDict", "typeddict", "x: float; y: float"),
    cls("Point3Dict", "typeddict", "x: float; y: float; z: float"),
    cls("Loose", "typeddict", "x: float; y?: float"),
    cls("Outer", "dataclass", "order: Order; tags: list[str]"),
    cls("OuterCopy", "dataclass", "order: Big; tags: list[str]"),
    cls("OuterWrong", "dataclass", "order: Strange; tags: list[str]"),
    cls("Node", "dataclass", "value: int; next?: 'Node | None'"),
    cls("Animal", "class"),
    cls("Dog", "class", "", "Animal", methods="bark"),
    cls("Puppy", "class", "", "Dog"),
    cls("Cat", "class", "", "Animal"),
    cls("Foreign", "class", "", "somewhere.Base"),
    cls("Loud", "class", "", methods="upper"),
    cls("Numbered", "dataclass", "item: int"),
    cls("Color", "enum", "", "Enum", values=("'red'", "'blue'")),
    cls("Shade", "enum", "", "Enum", values=("'red'", "'blue'", "'grey'")),
    cls("Level", "enum", "", "IntEnum", values=("1", "2")),
    cls("HasUpper", "protocol", "", methods="upper"),
    cls("HasItem", "protocol", "item: str"),
    cls("UserId", "newtype", "", "int"),
]

SCOPE = Scope(
    classes={each.name: each for each in _CLASSES},
    aliases={
        "NodeList": "list[Node]",
        "Numbers": "list[int]",
        "Nested": "int | list['Nested']",
        "Maybe": "Optional[int]",
        "Circle": "Circle",
    },
    imports={
        "pd": "pandas",
        "typing": "typing",
        "collections": "collections",
        **{
            name: name
            for name in ("pandas", "numpy", "polars", "pyarrow", "PIL", "sklearn", "somewhere", "pydantic")
        },
        **{name: name for name in ("decimal", "uuid", "pathlib")},
    },
    variables={"T": "", "Bound": "float"},
)
