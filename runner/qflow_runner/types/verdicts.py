"""The four verdicts, and how several of them become one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from qflow_runner.types.forms import Type

Verdict = Literal["assignable", "convertible", "unchecked", "incompatible"]

_ORDER: tuple[Verdict, ...] = ("assignable", "convertible", "unchecked", "incompatible")


@dataclass(frozen=True)
class Judgement:
    """`reason` says why it is not plainly assignable; `suggestion` the nearest fix of what is refused."""

    verdict: Verdict
    reason: str = ""
    suggestion: str = ""

    @property
    def severity(self) -> int:
        return _ORDER.index(self.verdict)

    def under(self, place: str) -> "Judgement":
        """The same, said of a part of the whole."""
        return Judgement(self.verdict, f"{place}: {self.reason}" if self.reason else "", self.suggestion)


Ask = Callable[[Type, Type], Judgement]
"""Puts the same question for a part of the whole."""

FITS = Judgement("assignable")


def converts(how: str) -> Judgement:
    return Judgement("convertible", how)


def unchecked(why: str) -> Judgement:
    return Judgement("unchecked", why)


def refused(why: str, fix: str) -> Judgement:
    return Judgement("incompatible", why, fix)


def worst(judgements: Iterable[Judgement]) -> Judgement:
    """Of parts that must all fit."""
    return max(judgements, key=lambda each: each.severity, default=FITS)


def best(judgements: Iterable[Judgement]) -> Judgement:
    """Of ways of which one is enough."""
    return min(judgements, key=lambda each: each.severity)
