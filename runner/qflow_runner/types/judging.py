"""May a value of type A flow into a parameter of type B?

Assignable as typing's specification has it, with containers covariant, because a link carries a value and nobody else
holds it. Convertible where the sandbox converts without loss. Types that mention themselves are assumed to fit where
the same question comes up again inside its own answer.
"""

from functools import lru_cache

from qflow_runner.types import forms
from qflow_runner.types.forms import NONE, OBJECT, Type
from qflow_runner.types.known import into_known, into_tuple
from qflow_runner.types.own import into_own
from qflow_runner.types.refusals import class_of, fix, no_way
from qflow_runner.types.showing import a, show
from qflow_runner.types.verdicts import FITS, Ask, Judgement, best, converts, refused, unchecked, worst

MAX_DEPTH = 40
MAX_STEPS = 10_000
"""Parts of two types that are compared before it is left to the run: some ten milliseconds."""

Pair = tuple[Type, Type]


@lru_cache(maxsize=50_000)
def judge(source: Type, target: Type) -> Judgement:
    """The verdict, with a reason where it is not plainly assignable and a fix where it is refused."""
    return _judge(source, target, frozenset(), [MAX_STEPS])


def _judge(source: Type, target: Type, asked: frozenset[Pair], steps: list[int]) -> Judgement:
    if target in {source, OBJECT} or isinstance(source, forms.Never):
        return FITS
    if isinstance(target, forms.Union) and source in target.members:
        return FITS
    if (source, target) in asked:
        return FITS
    if len(asked) > MAX_DEPTH:
        return unchecked("the types are nested too deeply to compare")
    steps[0] -= 1
    if steps[0] < 0:
        return unchecked("the types are too large to compare")
    asked |= {(source, target)}

    def ask(part: Type, wanted: Type) -> Judgement:
        return _judge(part, wanted, asked, steps)

    if isinstance(target, forms.Any):
        return unchecked(f"nothing is known of {target.text}") if target.text else FITS
    if isinstance(source, forms.Any) or source == OBJECT:
        return unchecked(f"{show(source)} may be anything: what it is shows when it runs")
    if isinstance(source, forms.Union):
        return _from_union(source, target, ask)
    if isinstance(target, forms.Union):
        if isinstance(source, forms.Literal) and len(source.values) > 1:
            # Each value may be taken by another member.
            return worst(ask(forms.Literal((value,)), target) for value in source.values)
        return _to_union(source, target, ask)
    if isinstance(source, forms.Literal):
        return _from_literal(source, target, ask)
    if isinstance(target, forms.Literal):
        values = source.info.literals if isinstance(source, forms.Own) else ()
        if values and set(values) <= set(target.values):
            return converts(f"{a(show(source))} is written as its value")
        return refused(
            f"{show(source)} is more than {show(target)}",
            f"Annotate the result as {show(target)}, or take {show(source)}.",
        )
    if isinstance(source, forms.Call) or isinstance(target, forms.Call):
        return _callables(source, target, ask)
    if isinstance(target, forms.Own):
        return into_own(source, target, ask)
    if isinstance(target, forms.Fixed):
        return into_tuple(source, target, ask)
    if isinstance(target, forms.Never):
        return refused(f"nothing flows into {show(target)}", "Change the annotation of the parameter.")
    return into_known(source, target, ask)


def _from_union(source: forms.Union, target: Type, ask: Ask) -> Judgement:
    """Every member must fit."""
    found = [(member, ask(member, target)) for member in source.members]
    member, judgement = max(found, key=lambda each: each[1].severity)
    if judgement.verdict != "incompatible":
        return judgement
    if member == NONE:
        return refused(
            f"{show(source)} may be None, and {show(target)} may not",
            f"Take {show(target)} | None, or return something else than None.",
        )
    return refused(f"{show(source)} may be {show(member)}: {judgement.reason}", judgement.suggestion)


def _to_union(source: Type, target: forms.Union, ask: Ask) -> Judgement:
    """One member that takes it is enough."""
    found = [ask(source, member) for member in target.members]
    judgement = best(found)
    if judgement.verdict != "incompatible":
        return judgement
    real = [each for member, each in zip(target.members, found, strict=True) if member != NONE]
    if len(real) == 1:
        return real[0]
    return refused(f"{show(source)} is none of {show(target)}", fix(source, target))


def _from_literal(source: forms.Literal, target: Type, ask: Ask) -> Judgement:
    if isinstance(target, forms.Literal):
        outside = [value for value in source.values if value not in target.values]
        if not outside:
            return FITS
        return refused(
            f"{outside[0]} is not one of {show(target)}", f"Return one of {', '.join(target.values)}."
        )
    if isinstance(target, forms.Own) and target.info.kind == "enum" and target.info.literals:
        outside = [value for value in source.values if value not in target.info.literals]
        if not outside:
            return converts(f"the value is read as {a(target.name)}")
        few = ", ".join(target.info.literals[:8])
        return refused(f"{outside[0]} is no value of {target.name}", f"Return one of {few}.")
    return worst(ask(class_of(value), target) for value in source.values)


def _callables(source: Type, target: Type, ask: Ask) -> Judgement:
    if isinstance(source, forms.Call) and isinstance(target, forms.Call):
        parts = [ask(source.result, target.result)]
        if source.parameters is not None and target.parameters is not None:
            if len(source.parameters) != len(target.parameters):
                return refused(
                    f"{show(source)} takes another number of arguments than {show(target)}",
                    "Give both the same parameters.",
                )
            # What is called with B must take B: parameters go the other way.
            parts += [
                ask(taken, given) for taken, given in zip(target.parameters, source.parameters, strict=True)
            ]
        judgement = worst(parts)
        # A function is not converted on the way.
        return (
            refused(judgement.reason, fix(source, target))
            if judgement.verdict == "convertible"
            else judgement
        )
    if isinstance(target, forms.Call) and (isinstance(source, forms.Own) or _is_type(source)):
        return unchecked(f"whether {a(show(source))} can be called shows when it runs")
    return no_way(source, target)


def _is_type(t: Type) -> bool:
    return isinstance(t, forms.Name) and (t.name == "type" or "." in t.name)
