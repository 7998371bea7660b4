"""The types that are known by name, for whoever chooses one."""

from collections.abc import Iterator
from dataclasses import dataclass

from qflow_runner.types.ancestry import ancestors
from qflow_runner.types.forms import Name, Type
from qflow_runner.types.grammar import parse
from qflow_runner.types.judging import judge
from qflow_runner.types.showing import show
from qflow_runner.types.verdicts import Judgement

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Values",
        ("Any", "number", "bool", "int", "float", "complex", "decimal.Decimal", "str", "bytes", "None"),
    ),
    ("Times", ("datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta")),
    (
        "Containers",
        (
            "dict",
            "list",
            "list[dict]",
            "list[str]",
            "list[int]",
            "list[float]",
            "tuple",
            "set",
            "frozenset",
            "Iterable",
            "Sequence",
            "Mapping",
        ),
    ),
    ("Others", ("uuid.UUID", "pathlib.Path", "re.Pattern")),
    (
        "Packages",
        (
            "pandas.DataFrame",
            "pandas.Series",
            "polars.DataFrame",
            "pyarrow.Table",
            "numpy.ndarray",
            "PIL.Image.Image",
        ),
    ),
    ("Qflow", ("qflow.Context", "qflow.File", "qflow.Image", "qflow.Secret")),
)


_KNOWN = frozenset(name for _, names in GROUPS for name in names)

_PARENTS = {"int": "number", "float": "number"}
"""Where the ancestry does not say it: `number` is another name of int | float."""


@dataclass(frozen=True)
class Known:
    """`ancestors` are all that it derives from, the nearest first; `parent` the first of them that is in the catalogue."""

    name: str
    group: str
    parent: str | None
    ancestors: tuple[str, ...]
    judgement: Judgement | None


def catalogue(source: Type | None = None, target: Type | None = None) -> Iterator[Known]:
    """The known types; with how a value of `source` flows into each, or a value of each into `target`."""
    for group, names in GROUPS:
        for name in names:
            known = parse(name)
            judgement: Judgement | None = None
            if source is not None:
                judgement = judge(source, known)
            elif target is not None:
                judgement = judge(known, target)
            above = tuple(dict.fromkeys(_name(each) for each in ancestors(known) if each != known))
            yield Known(name, group, _parent(name, above), above, judgement)


def _parent(name: str, above: tuple[str, ...]) -> str | None:
    if name in _PARENTS:
        return _PARENTS[name]
    bare = name.partition("[")[0]
    if bare != name:
        return bare
    return next((each for each in above if each in _KNOWN), None)


def _name(each: Type) -> str:
    if not isinstance(each, Name):
        return show(each)
    # The table of ancestors knows the classes of `datetime` by their last names.
    whole = f"datetime.{each.name}"
    return whole if whole in _KNOWN else each.name
