"""Into tuples and the classes that are known by their names."""

from qflow_runner.types import conversions, forms
from qflow_runner.types.ancestry import as_class
from qflow_runner.types.forms import ANY, Type
from qflow_runner.types.items import ARRAYS, ROW, fields_of, gathers, gives
from qflow_runner.types.names import SUPER, TABLES
from qflow_runner.types.own import out_of_own
from qflow_runner.types.refusals import no_way
from qflow_runner.types.showing import a, show
from qflow_runner.types.verdicts import FITS, Ask, Judgement, converts, refused, unchecked, worst

_TOWER = {"bool": 0, "int": 1, "float": 2, "complex": 3}
_NOT_HASHABLE = frozenset({"list", "dict", "set"})
KNOWN_OF_PACKAGES = frozenset(
    {*SUPER, *TABLES, "pandas.Series", "pandas.Index", "numpy.ndarray", "PIL.Image.Image"}
)


def into_tuple(source: Type, target: forms.Fixed, ask: Ask) -> Judgement:
    if isinstance(source, forms.Fixed):
        if len(source.elements) != len(target.elements):
            return refused(
                f"{show(source)} has {len(source.elements)} elements and {show(target)} {len(target.elements)}",
                f"Return {show(target)}.",
            )
        return worst(
            ask(a, b).under(f"element {index}")
            for index, (a, b) in enumerate(zip(source.elements, target.elements, strict=True))
        )
    element = gives(source)
    if element is None:
        return no_way(source, target)
    judgement = worst(ask(element, each) for each in target.elements)
    if judgement.verdict == "incompatible":
        return judgement
    return unchecked(f"how many elements {show(source)} has shows when it runs")


def into_known(source: Type, target: Type, ask: Ask) -> Judgement:
    """Into a class that is known by its name."""
    assert isinstance(target, forms.Name)  # noqa: S101 - all other forms have been met
    if isinstance(source, forms.Name) and _TOWER.get(source.name, 9) <= _TOWER.get(target.name, -1):
        return FITS
    seen = as_class(source, target.name)
    if seen is not None:
        return _arguments(seen, target, ask)
    if target.name in {"float", "complex"} and as_class(source, "int") is not None:
        return FITS
    if target.name == "Hashable":
        return (
            FITS
            if not isinstance(source, forms.Name) or source.name not in _NOT_HASHABLE
            else no_way(source, target)
        )
    if target.name == "tuple" and isinstance(source, forms.Fixed):
        return ask(forms.union(source.elements), target.args[0]) if target.args else FITS
    converted = conversions.scalar(source, target) or conversions.table(source, target)
    if converted is not None:
        return converted
    if isinstance(source, forms.Own):
        return out_of_own(source, target, ask)
    many = _rebuilt(source, target, ask)
    if many is not None:
        return many
    if _is_foreign(source) or _is_foreign(target):
        return _foreign(source, target)
    return no_way(source, target)


def _arguments(source: forms.Name, target: forms.Name, ask: Ask) -> Judgement:
    """The same class: its arguments are covariant. One that is not written is not known."""
    if not target.args:
        return FITS
    # Of a bare dict the keys are text all the same: JSON has no others.
    given = source.args or ((forms.Name("str"), ANY) if len(target.args) == 2 else (ANY,) * len(target.args))
    if len(given) != len(target.args):
        return (
            FITS
            if target.name in {"Generator", "AsyncGenerator"}
            else unchecked("the arguments differ in number")
        )
    places = (
        ("key", "value")
        if len(given) == 2 and as_class(target, "Mapping") is not None
        else ("element",) * len(given)
    )
    return worst(ask(a, b).under(place) for place, a, b in zip(places, given, target.args, strict=True))


def _rebuilt(source: Type, target: forms.Name, ask: Ask) -> Judgement | None:
    """Many elements in one container, taken in another."""
    mapping, wanted_mapping = as_class(source, "Mapping"), as_class(target, "Mapping")
    if mapping is not None and wanted_mapping is not None:
        judgement = _arguments(mapping, wanted_mapping, ask)
        return converts(f"the mapping is taken as {a(show(target))}") if judgement.severity < 2 else judgement
    given, wanted = gives(source), gathers(target)
    if given is None or wanted is None:
        return None
    element = ask(given, wanted)
    if element.severity > 1:
        return element.under("element")
    if target.name in TABLES:
        if given != ROW and not _is_row(given):
            return refused(
                f"{show(given)} is no row of {a(show(target))}",
                f"Return dicts, such as list[dict], or {a(show(target))}.",
            )
        return converts(f"the rows are built into {a(show(target))}")
    if target.name in ARRAYS:
        return converts(f"the elements of {show(source)} are built into {a(show(target))}")
    if target.name in conversions.LISTS or target.name in SUPER:
        return converts(f"the elements of {show(source)} are taken as {a(show(target))}")
    return None


def _is_row(t: Type) -> bool:
    return isinstance(t, forms.Any) or as_class(t, "Mapping") is not None or fields_of(t) is not None


def _is_foreign(t: Type) -> bool:
    return isinstance(t, forms.Name) and "." in t.name


def _foreign(source: Type, target: Type) -> Judgement:
    """Classes of packages: those in the table of names are known, of others only their name is."""
    for each in (source, target):
        if isinstance(each, forms.Name) and "." in each.name and each.name not in KNOWN_OF_PACKAGES:
            return unchecked(f"what {a(show(each))} is, its package says when it runs")
    return no_way(source, target)
