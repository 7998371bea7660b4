"""The slow, careful way from any value to JSON's own types, which knows where in the value it is."""

from typing import Any, Callable, Dict, List, Set

from qflow_agent.codec import MAX_SAFE_INTEGER
from qflow_agent.kinds import Step, path_text
from qflow_agent.problem import Problem
from qflow_agent.values import IsFile, OneShot, Refused, simplify

MAX_DEPTH = 200
"""Levels of nesting; orjson writes no more than 254, and people read fewer."""

_INFINITY = float("inf")


class Notes:
    """What was changed on the way, counted for a hint each."""

    def __init__(self) -> None:
        self.integers = 0
        self.not_numbers = 0
        self.renamed: List[str] = []

    def add(self, other: "Notes") -> None:
        self.integers += other.integers
        self.not_numbers += other.not_numbers
        self.renamed += [name for name in other.renamed if name not in self.renamed]

    def hints(self) -> List[str]:
        hints = []
        if self.integers:
            hints.append(
                "Whole numbers beyond ±(2^53 - 1), which JavaScript cannot hold exactly, became strings: %d."
                % self.integers
            )
        if self.not_numbers:
            hints.append("NaN and infinities, which JSON does not have, became null: %d." % self.not_numbers)
        if self.renamed:
            more = " and %d more" % (len(self.renamed) - 5) if len(self.renamed) > 5 else ""
            hints.append(
                "Columns with the same name got another: %s%s." % (", ".join(self.renamed[:5]), more)
            )
        return hints


class Plain:
    """Converts one value; `path` says where it stands in what the function returned."""

    def __init__(self, notes: Notes, path: List[Step], simpler: Callable[[Any], Any] = simplify) -> None:
        """`simpler` takes an object one step towards JSON."""
        self._simplify = simpler
        self._notes = notes
        self._path = path
        self._above: Set[int] = set()
        self._steps = 0

    def convert(self, value: Any) -> Any:
        """`value` as dict, list, str, int, float, bool and None. Raises Problem (result_type)."""
        cls = type(value)
        if cls is str:
            return text(value)
        if value is None or cls is bool:
            return value
        if cls is int:
            return self._integer(value)
        if cls is float:
            return self._float(value)
        if id(value) in self._above:
            raise refusal(
                self._path, cls, "contains itself", "Return a copy without the reference back to it."
            )
        if len(self._above) >= MAX_DEPTH:
            raise refusal(self._path, cls, "is nested too deeply", "Return a flatter structure.")
        self._above.add(id(value))
        try:
            if cls is dict:
                return self._dict(value)
            if cls is list or cls is tuple:
                return self._list(value)
            return self.convert(self._simpler(value))
        finally:
            self._above.discard(id(value))

    def _simpler(self, value: Any) -> Any:
        try:
            return self._simplify(value)
        except OneShot:
            return list(value)
        except IsFile as error:
            if error.text is None:
                raise unfit(self._path, type(value), str(error)) from None
            return error.text
        except Refused as error:
            raise unfit(self._path, type(value), str(error)) from None

    def _integer(self, value: int) -> Any:
        if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return value
        self._notes.integers += 1
        try:
            return str(value)
        except ValueError as error:
            raise refusal(
                self._path, int, "is too large to be written (%s)" % error, "Return a string."
            ) from None

    def _float(self, value: float) -> Any:
        if value == value and value not in (_INFINITY, -_INFINITY):  # noqa: PLR0124 - NaN differs from itself
            return value
        self._notes.not_numbers += 1
        return None

    def _list(self, values: Any) -> List[Any]:
        converted = []
        for index, value in enumerate(values):
            self._path.append(index)
            converted.append(self.convert(value))
            self._path.pop()
        return converted

    def _dict(self, values: Dict[Any, Any]) -> Dict[str, Any]:
        converted = {}
        for key, value in list(values.items()):
            name = text(key) if type(key) is str else self._key(key)
            self._path.append(name)
            converted[name] = self.convert(value)
            self._path.pop()
        return converted

    def _key(self, key: Any) -> str:
        """The key as JSON writes it: ``True`` becomes ``true``, as it would as a value."""
        simple = key
        for _ in range(3):
            if simple is None or type(simple) is bool:
                return "null" if simple is None else "true" if simple else "false"
            if type(simple) in (str, int, float):
                return text(str(simple))
            if type(simple) in (tuple, list, dict):
                break
            simple = self._simpler(simple)
        raise refusal(
            self._path,
            type(key),
            "is the key of a dict",
            "Make the key a string: n8n's objects have no other keys.",
        )


def text(value: str) -> str:
    """`value` in valid Unicode: two halves of a surrogate pair are joined, a lone one is replaced."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def unfit(path: List[Step], cls: type, advice: str) -> Problem:
    return refusal(path, cls, "cannot become an n8n item", advice)


def refusal(path: List[Step], cls: type, what: str, advice: str) -> Problem:
    """The problem of a value of class `cls` at `path` in what the function returned."""
    name = str.__str__(type.__dict__["__qualname__"].__get__(cls))
    where = " at %s" % path_text(path) if path else ""
    return Problem(
        "result_type",
        "The returned value%s, of type %s, %s." % (where, name, what),
        hint=advice,
        extra={"path": path_text(path)} if path else None,
    )
