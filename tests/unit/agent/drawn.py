"""Values of the standard library's types, drawn as Python source with what docs/data.md says becomes of them in an item.

The guest makes the value from its source, so nothing of the agent has touched it before.
"""

import datetime as dt
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

SAFE = 2**53 - 1
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")


@dataclass(frozen=True)
class Drawn:
    source: str
    json: Any
    """What stands in the item."""
    type: str = ""
    """An annotation with which the item's value becomes the same value again; empty where there is none."""


class Moment:
    """Equal to every ISO text of the same wall time and offset, with however many zeros at its end."""

    def __init__(self, text: str) -> None:
        self.parts = parts_of(text)
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and parts_of(other) == self.parts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Moment({self.text})"


class Seconds(float):
    """Equal to a number of seconds that differs by no more than its last digit."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and math.isclose(self, other, rel_tol=1e-15)

    __hash__ = None  # type: ignore[assignment]


_ISO = re.compile(
    r"([+-]?\d+-\d\d-\d\d)(?:T(\d\d:\d\d)(?::(\d\d))?(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d(?::\d\d)?)?"
)


def parts_of(text: str) -> tuple[str, ...] | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    day, clock, second, fraction, offset = found.groups()
    offset = {"Z": "+00:00", None: ""}.get(offset, offset)
    return day, clock or "00:00", second or "00", (fraction or "").rstrip("0"), offset or ""


def whole(value: int) -> Any:
    return value if -SAFE <= value <= SAFE else str(value)


def real(value: float) -> float | None:
    return value if math.isfinite(value) else None


def float_source(value: float) -> str:
    return repr(value) if math.isfinite(value) else f"float('{value!r}')"


def clean_text(max_size: int = 20) -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)


def decimal(value: Decimal) -> Drawn:
    exponent = value.as_tuple().exponent
    json: Any = None
    if isinstance(exponent, int):
        json = int(value) if exponent >= 0 and abs(value) <= SAFE else str(value)
    return Drawn(f"decimal.Decimal('{value}')", json, "decimal.Decimal" if json is not None else "")


def moment(value: dt.datetime) -> Drawn:
    naive = value.replace(tzinfo=None)
    source = repr(naive).replace("datetime.datetime", "dt.datetime")
    if value.tzinfo is None:
        return Drawn(source, naive.isoformat(), "" if value.fold else "dt.datetime")
    if isinstance(value.tzinfo, ZoneInfo):
        zone, back = f"ZoneInfo('{value.tzinfo.key}')", ""
    else:
        offset = value.utcoffset()
        assert offset is not None
        zone, back = f"dt.timezone(dt.timedelta(seconds={int(offset.total_seconds())}))", "dt.datetime"
    if value.fold:
        back = ""  # no text says so
    return Drawn(f"{source}.replace(tzinfo={zone}, fold={value.fold})", value.isoformat(), back)


def aware(*, zones: bool) -> st.SearchStrategy[dt.datetime]:
    fixed = st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
    named = st.sampled_from(ZONES).map(ZoneInfo) if zones else st.nothing()
    low, high = dt.datetime.fromisoformat("0002-01-01"), dt.datetime.fromisoformat("9998-01-01")
    return st.datetimes(low, high, timezones=st.none() | fixed | named)


def simple(*, zones: bool) -> st.SearchStrategy[Drawn]:
    """`zones`: whether that Python has time zones by name."""
    return st.one_of(
        st.sampled_from([Drawn("None", None), Drawn("True", True, "bool"), Drawn("False", False, "bool")]),
        st.integers(-(2**70), 2**70).map(lambda n: Drawn(repr(n), whole(n), "int" if abs(n) <= SAFE else "")),
        st.floats().map(lambda x: Drawn(float_source(x), real(x), "float" if math.isfinite(x) else "")),
        clean_text().map(lambda text: Drawn(ascii(text), text, "str")),
        st.decimals(allow_nan=True, allow_infinity=True).map(decimal),
        st.uuids().map(lambda u: Drawn(f"uuid.UUID('{u}')", str(u), "uuid.UUID")),
        aware(zones=zones).map(moment),
        st.dates().map(lambda d: Drawn(f"dt.date({d.year}, {d.month}, {d.day})", d.isoformat(), "dt.date")),
        st.times().map(lambda t: Drawn(repr(t).replace("datetime.", "dt."), t.isoformat(), "dt.time")),
        st.timedeltas(dt.timedelta(days=-10_000), dt.timedelta(days=10_000)).map(
            lambda d: Drawn(
                f"dt.timedelta(days={d.days}, seconds={d.seconds}, microseconds={d.microseconds})",
                d.total_seconds(),
                "dt.timedelta",
            )
        ),
        st.fractions().map(lambda f: Drawn(f"fractions.Fraction('{f}')", str(f))),
        (st.ip_addresses(v=4) | st.ip_addresses(network="2001:db8::/32")).map(
            lambda a: Drawn(f"ipaddress.ip_address('{a}')", str(a))
        ),
        st.sampled_from(
            [
                Drawn("Colour.RED", "red", "Colour"),
                Drawn("Colour.BLUE", 2, "Colour"),
                Drawn("Level.HIGH", 2, "Level"),
                Drawn("pathlib.PurePosixPath('/a/b')", "/a/b"),
            ]
        ),
    )


_PLACE = st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), max_size=4, unique=True)


def nested(*, zones: bool) -> st.SearchStrategy[Drawn]:
    """Lists, tuples, dicts and sets of simple values, in each other."""
    return st.recursive(
        simple(zones=zones) | _sets(),
        lambda part: st.one_of(
            st.lists(part, max_size=4).map(lambda parts: _joined("[%s]", parts)),
            st.lists(part, min_size=1, max_size=4).map(lambda parts: _joined("(%s,)", parts)),
            st.lists(part, max_size=3).map(lambda parts: _joined("collections.deque([%s])", parts)),
            st.tuples(_PLACE, st.lists(part, min_size=4, max_size=4)).map(_dict),
        ),
        max_leaves=8,
    )


def _joined(form: str, parts: list[Drawn]) -> Drawn:
    return Drawn(form % ", ".join(part.source for part in parts), [part.json for part in parts])


def _dict(drawn: tuple[list[str], list[Drawn]]) -> Drawn:
    pairs = list(zip(*drawn, strict=False))
    source = ", ".join(f"'{name}': {part.source}" for name, part in pairs)
    return Drawn(f"{{{source}}}", {name: part.json for name, part in pairs})


def _sets() -> st.SearchStrategy[Drawn]:
    numbers = st.sets(st.integers(-100, 100), max_size=5)
    words = st.sets(clean_text(5), max_size=5)
    return st.one_of(
        st.one_of(numbers, words).map(lambda s: Drawn(f"set([{', '.join(map(ascii, s))}])", sorted(s))),
        words.map(lambda s: Drawn(f"frozenset([{', '.join(map(ascii, s))}])", sorted(s))),
    )


def records() -> st.SearchStrategy[Drawn]:
    """Classes with fields, each with its annotation."""
    name, day = clean_text(8), st.dates()
    at = st.datetimes()
    number = st.floats(allow_nan=False, allow_infinity=False)
    line = st.tuples(name, st.decimals(0, 10**6, places=2), st.none() | at).map(
        lambda d: Drawn(
            f"Line({d[0]!a}, {decimal(d[1]).source}, {moment(d[2]).source if d[2] else None})",
            {"name": d[0], "price": decimal(d[1]).json, "due": d[2].isoformat() if d[2] else None},
            "Line",
        )
    )
    order = st.tuples(st.uuids(), st.lists(line, max_size=3), st.sampled_from(["RED", "BLUE"])).map(
        lambda d: Drawn(
            f"Order(uuid.UUID('{d[0]}'), {_joined('[%s]', d[1]).source}, Colour.{d[2]})",
            {"id": str(d[0]), "lines": [part.json for part in d[1]], "colour": "red" if d[2] == "RED" else 2},
            "Order",
        )
    )
    point = st.tuples(number, name, day).map(
        lambda d: Drawn(
            f"Point({d[0]!r}, {d[1]!a}, dt.date({d[2].year}, {d[2].month}, {d[2].day}))",
            {"x": d[0], "label": d[1], "on": d[2].isoformat()},
            "Point",
        )
    )
    person = st.tuples(name, day).map(
        lambda d: Drawn(
            f"Person(name={d[0]!a}, born=dt.date({d[1].year}, {d[1].month}, {d[1].day}))",
            {"name": d[0], "born": d[1].isoformat()},
            "Person",
        )
    )
    home = st.tuples(name, st.integers(-SAFE, SAFE)).map(
        lambda d: Drawn(f"Street(name={d[0]!a}, number={d[1]})", {"name": d[0], "number": d[1]}, "Street")
    )
    marks = st.dictionaries(st.sampled_from("abc"), number, max_size=3)
    customer = st.tuples(st.integers(-SAFE, SAFE), at, st.lists(home, max_size=3), marks).map(
        lambda d: Drawn(
            f"Customer(id={d[0]}, seen={moment(d[1]).source}, homes={_joined('[%s]', d[2]).source}, marks={d[3]!r})",
            {"id": d[0], "seen": d[1].isoformat(), "homes": [h.json for h in d[2]], "marks": d[3]},
            "Customer",
        )
    )
    return st.one_of(line, order, point, person, home, customer)
