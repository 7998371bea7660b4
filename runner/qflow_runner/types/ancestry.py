"""What a class derives from: known classes by the table of names, the code's own by their bases."""

from collections.abc import Iterator

from qflow_runner.types import forms
from qflow_runner.types.forms import ANY, Type
from qflow_runner.types.grammar import TypeSyntax, parse
from qflow_runner.types.names import SUPER

MAX_ANCESTORS = 200


def bases(t: Type) -> list[Type]:
    """The direct bases, each with its arguments."""
    if isinstance(t, forms.Fixed):
        return [forms.Name("Sequence", (forms.union(t.elements),))]
    if isinstance(t, forms.Own):
        return [base for text in t.info.bases for base in _read(text, t)]
    if not isinstance(t, forms.Name):
        return []
    found: list[Type] = []
    for name, picks in SUPER.get(t.name, ()):
        args = tuple(_picked(pick, t.args) for pick in picks)
        found.append(forms.Name(name, () if any(each is ANY for each in args) and not t.args else args))
    return found


def ancestors(t: Type) -> Iterator[Type]:
    """`t`, and all that it derives from, the nearest first. A class that derives from itself does not hang."""
    seen: set[Type] = set()
    waiting = [t]
    while waiting and len(seen) < MAX_ANCESTORS:
        each = waiting.pop(0)
        if each not in seen:
            seen.add(each)
            yield each
            waiting.extend(bases(each))


def as_class(t: Type, name: str) -> forms.Name | None:
    """`t` seen as the known class `name`, with its arguments; None when it does not derive from it."""
    return next((each for each in ancestors(t) if isinstance(each, forms.Name) and each.name == name), None)


def unknown_base(t: Type) -> bool:
    """Whether something that `t` derives from is not known, so that it may be anything."""
    for each in ancestors(t):
        if isinstance(each, forms.Any) and each.text != "":
            return True
        if isinstance(each, forms.Name) and "." in each.name and each.name not in SUPER and each is not t:
            return each.name.partition(".")[0] not in {"pydantic", "attr", "attrs", "enum", "typing", "abc"}
    return False


def _picked(pick: int | str, args: tuple[Type, ...]) -> Type:
    if isinstance(pick, str):
        return forms.Name(pick)
    return args[pick] if pick < len(args) else ANY


def _read(text: str, t: forms.Own) -> list[Type]:
    if text.partition("[")[0].rpartition(".")[2] in {
        "Generic",
        "Protocol",
        "TypedDict",
        "NamedTuple",
        "object",
    }:
        return []
    try:
        return [parse(text, t.scope)]
    except TypeSyntax:
        return []
