"""What a JSON value has to be, and becomes, to fit an annotation.

A Kind is made once per annotation. Most values pass by their exact class alone; `convert` sees the others.
"""

from typing import Any, Callable, FrozenSet, List, NamedTuple, Optional, Union

Step = Union[str, int]


class Mismatch(Exception):
    """A value does not fit. `path` leads from the whole value to the part that does not."""

    def __init__(self, expected: str, value: Any, reason: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.value = value
        self.reason = reason
        self.advice = ""
        """What a person can do who wants this value."""
        self.path: List[Step] = []

    def at(self, step: Step) -> "Mismatch":
        self.path.insert(0, step)
        return self

    def sentence(self) -> str:
        """``expected int, got the string '3'``."""
        return self.reason or "expected %s, got %s" % (self.expected, described(self.value))


class Kind(NamedTuple):
    """How one annotation treats values."""

    expected: str
    """The annotation, for messages."""
    plain: FrozenSet[type]
    """Values of exactly these classes pass as they are."""
    convert: Callable[[Any], Any]
    """What becomes of any other value; raises Mismatch."""
    takes_item: bool = False
    """Whether a whole item, a dict, can be a value."""
    element: Optional["Kind"] = None
    """Of what takes many rows, the kind of one."""
    fields: FrozenSet[str] = frozenset()
    """Of what is built from a dict, the names of its fields."""

    def apply(self, value: Any) -> Any:
        return value if type(value) in self.plain else self.convert(value)


def unchanged(value: Any) -> Any:
    return value


ANY = Kind("Any", frozenset(), unchanged, takes_item=True)
"""Takes everything, a whole item too."""


def opaque(expected: str) -> Kind:
    """A class that is not built from JSON: what is given passes unchecked, but an item is not one."""
    return Kind(expected, frozenset(), unchanged)


def union(expected: str, members: List[Kind]) -> Kind:
    """Takes what one of the members takes; a value that is one of them exactly is not converted to another."""
    plain = frozenset().union(*(member.plain for member in members))
    real = [member for member in members if member.plain != {type(None)}]
    anything = any(member.convert is unchanged for member in members)

    def convert(value: Any) -> Any:
        error = Mismatch(expected, value)
        for member in members:
            if member.convert is not unchanged:
                try:
                    return member.convert(value)
                except Mismatch as mismatch:
                    # Of Optional[X], what X says of the value is the better message.
                    if real == [member]:
                        error.advice = mismatch.advice
                        error = mismatch if mismatch.path or mismatch.reason else error
        if anything:
            return value
        raise error

    many = bool(real) and all(member.element is not None for member in real)
    return Kind(
        expected,
        plain,
        convert,
        takes_item=any(member.takes_item for member in members),
        element=real[0].element if many else None,
        fields=frozenset().union(*(member.fields for member in members)),
    )


def described(value: Any) -> str:
    """A value for a sentence, shortened: JSON's own by what it is, others by their class."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return "the string '%s'" % (value if len(value) <= 60 else value[:57] + "…")
    if isinstance(value, (int, float)):
        text = repr(value) if -1e30 < value < 1e30 else "%g" % value
        return "the number %s" % text
    if isinstance(value, list):
        return "a list of %d" % len(value)
    if isinstance(value, dict):
        names = ", ".join(list(map(str, value))[:5])
        return (
            "an object with %s%s" % (names, ", …" if len(value) > 5 else "") if value else "an empty object"
        )
    if type(value).__name__ in ("generator", "async_generator"):
        return "a generator"
    if type(value) is tuple or type(value) is set:
        return "a %s of %d" % (type(value).__name__, len(value))
    return "a value of type %s" % type(value).__name__


def path_text(path: List[Step]) -> str:
    """``lines[2].price``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += "[%d]" % step
        elif step.isidentifier():
            text += "." + step
        else:
            text += '["%s"]' % step
    return text[1:] if text.startswith(".") else text
