"""Decides which objects of a result stay in the session, and puts reference documents in their place."""

from typing import Any, Dict, List, Optional

from qflow_agent.glances import type_text
from qflow_agent.references import KEY, Desk, Json
from qflow_agent.values import Refused, is_data, simplify

_BYTES = (bytes, bytearray, memoryview)


class Keeper:
    """Of one run. The same object is kept once, however often the results hold it."""

    def __init__(self, desk: Desk, output: str, node: str) -> None:
        """`output` is "items", "reference" or "auto"."""
        self._desk = desk
        self._node = node
        self.whole = output == "reference"
        """Whether each call's result is one reference, whatever it is."""
        self._may = output != "items"
        self._eager = output == "auto" and desk.keep
        self._documents: Dict[int, Json] = {}
        self._classes: Dict[type, bool] = {}
        self._asked: List[int] = []
        self._began = 0
        self._began_for: Optional[int] = None
        self.unasked: List[str] = []
        """The classes of what became a reference because no item can be made of it."""

    def kept(self) -> List[str]:
        """The references to what is kept."""
        return [self._documents[number][KEY]["ref"] for number in self._asked]

    def hints(self) -> List[str]:
        if not self.unasked:
            return []
        names = ", ".join(sorted(set(self.unasked))[:5])
        return [
            "No items can be made of %s: a reference stands for it, which the next Qflow node takes as the object "
            "itself. Other nodes see a preview; return a dict, a list or a table for them." % names
        ]

    def begin(self, number: Optional[int]) -> None:
        """What is kept from now on, for that item, is forgotten again by `forget`."""
        self._began, self._began_for = len(self._asked), number

    def forget(self, number: Optional[int]) -> None:
        """Drop what was kept for that item, if anything was: the results that hold it are none."""
        if number == self._began_for:
            self._forget()

    def _forget(self) -> None:
        for number in self._asked[self._began :]:
            self._desk.objects.drop(self._documents.pop(number)[KEY]["ref"])
        del self._asked[self._began :]

    def forget_all(self) -> None:
        """Drop everything that was kept: the run failed."""
        self._began = 0
        self._forget()

    def reference(self, value: Any) -> Json:
        """Keep `value`; the document that stands for it."""
        document = self._documents.get(id(value))  # what is kept lives on, so no other object has its id
        if document is None:
            document = self._documents[id(value)] = self._desk.objects.keep(value, self._node)
            self._asked.append(id(value))
        return document

    def item(self, value: Any) -> Any:
        """What stands for `value` where it would become an item, or items: a reference, or still itself."""
        if not self._may or not self._is_data(value):
            return value
        many = getattr(value, "ndim", 1) > 1 and _is_array(value)
        return self.reference(value) if self._eager or many else value

    def simplify(self, value: Any) -> Any:
        """As `values.simplify` does, with references to what stays in the session. Raises Refused and the rest."""
        if self._eager and self._is_data(value):
            return self.reference(value)
        try:
            return simplify(value)
        except Refused:
            plain_words = isinstance(value, _BYTES) and not self._eager
            if not self._may or plain_words or hasattr(type(value), "__await__"):
                raise
        if not self._eager:
            self.unasked.append(type_text(type(value)))
        return self.reference(value)

    def _is_data(self, value: Any) -> bool:
        cls = type(value)
        found = self._classes.get(cls)
        if found is None:
            found = self._classes[cls] = is_data(cls) and not (
                hasattr(cls, "as_py") and not hasattr(cls, "to_pylist")
            )
        return found and getattr(value, "ndim", 1) != 0


def _is_array(value: Any) -> bool:
    """Whether more than one dimension makes it something that has no rows of named fields."""
    return not hasattr(type(value), "columns")
