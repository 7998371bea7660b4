"""Holds what a function returned against its return annotation."""

import typing
from collections import abc
from typing import Any, FrozenSet, NamedTuple

from qflow_agent.annotations import UNKNOWN, Scope, resolve, written
from qflow_agent.kinds import ANY, Kind, Mismatch, described, path_text, unchanged
from qflow_agent.problem import Problem

_AWAITED = (abc.Awaitable, abc.Coroutine)


class Returns(NamedTuple):
    """How the results of one function are checked. The default checks nothing."""

    name: str = ""
    written: str = ""
    kind: Kind = ANY
    passing: FrozenSet[type] = frozenset({dict})
    """Results of exactly these classes need no look at all: they fit, and are nothing that has to be awaited."""

    def checked(self, result: Any) -> Any:
        """`result`, or what it is converted to; an iterator is checked as it is read. Raises Problem (result_type)."""
        if self.kind.convert is unchanged:
            return result
        try:
            result = self.kind.apply(result)
        except Mismatch as mismatch:
            raise self._problem(mismatch) from None
        element = self.kind.element
        if element is None or element.convert is unchanged or not hasattr(type(result), "__next__"):
            return result
        return (self.checked_element(index, value) for index, value in enumerate(result))

    def checked_element(self, index: int, value: Any) -> Any:
        """What an iterator gave as number `index`. Raises Problem (result_type)."""
        element = self.kind.element
        if element is None:
            return value
        try:
            return element.apply(value)
        except Mismatch as mismatch:
            raise self._problem(mismatch.at(index)) from None

    def _problem(self, mismatch: Mismatch) -> Problem:
        path = path_text(mismatch.path)
        hint = "Return what the annotation says, or change the annotation."
        if described(mismatch.value) == "a generator":
            hint = "A function with yield gives an iterator: annotate it with Iterator[…], or return a list."
        return Problem(
            "result_type",
            "The function '%s' (-> %s) returned something else%s: %s."
            % (self.name, self.written, " at %s" % path if path else "", mismatch.sentence()),
            hint=hint,
            extra={
                **({"path": path} if path else {}),
                "expected": mismatch.expected,
                "actual": described(mismatch.value),
            },
        )


def returns_of(name: str, annotation: Any, scope: Scope, validation: str) -> Returns:
    """`annotation` is what stands behind ``->``; `validation` is "strict", "coerce" or "off"."""
    if annotation is UNKNOWN or validation == "off":
        return Returns()
    from qflow_agent.fits import FitMaker

    maker = FitMaker(coerce=validation == "coerce")
    text = written(annotation)
    meant = resolve(annotation, scope)
    if typing.get_origin(meant) in _AWAITED:
        annotation = (typing.get_args(meant) or (Any,))[-1]
    kind = maker.make(annotation, scope)
    if kind.convert is unchanged:
        return Returns()
    return Returns(name, text, kind, frozenset(cls for cls in kind.plain if not _is_awaited_or_read(cls)))


def _is_awaited_or_read(cls: type) -> bool:
    return any(hasattr(cls, name) for name in ("__await__", "__aiter__", "__next__"))
