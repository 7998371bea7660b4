"""``_now`` and ``_today`` as code for n8n's former Python met them: a datetime that knows Luxon's usual methods."""

# ruff: noqa: N802 - the names are Luxon's

import datetime
import re
from typing import Any, Dict, Mapping, Optional

_UNITS = {
    "week": 7 * 86400.0,
    "day": 86400.0,
    "hour": 3600.0,
    "minute": 60.0,
    "second": 1.0,
    "millisecond": 0.001,
}
_MONTHS = {"year": 12, "quarter": 3, "month": 1}
_TOKEN = re.compile(
    r"'([^']*)'|yyyy|yy|LLLL|LLL|LL|L|MMMM|MMM|MM|M|dd|d|EEEE|EEE|cccc|ccc|HH|H|hh|h|mm|m|ss|s|SSS|a|ZZZ|ZZ|Z|X|x|o|q"
)


class Moment(datetime.datetime):
    """A datetime with ``toISO``, ``toISODate``, ``toISOTime``, ``toFormat``, ``toMillis``, ``toSeconds``,
    ``toUnixInteger``, ``toJSDate``, ``toString``, ``setZone``, ``plus``, ``minus``, ``startOf``, ``endOf`` and
    ``millisecond``. Everything else is a datetime's."""

    @classmethod
    def here(cls) -> "Moment":
        """Now, in the time zone of the sandbox."""
        return cls.now(datetime.timezone.utc).astimezone()

    @property
    def millisecond(self) -> int:
        return self.microsecond // 1000

    def toISO(self, **_options: Any) -> str:
        return self.isoformat(timespec="milliseconds")

    def toISODate(self, **_options: Any) -> str:
        return self.date().isoformat()

    def toISOTime(self, **_options: Any) -> str:
        return self.timetz().isoformat(timespec="milliseconds")

    def toString(self) -> str:
        return self.toISO()

    def toJSDate(self) -> "Moment":
        return self

    def toMillis(self) -> int:
        return int(self.timestamp() * 1000)

    def toSeconds(self) -> float:
        return self.toMillis() / 1000

    def toUnixInteger(self) -> int:
        return int(self.timestamp())

    def toFormat(self, pattern: str) -> str:
        """Luxon's tokens for years to milliseconds, names of months and days, and zones; text in single quotes."""
        return _TOKEN.sub(lambda found: self._token(found.group(0), found.group(1)), pattern)

    def setZone(self, zone: str) -> "Moment":
        """The same instant in another time zone, by its name. Needs Python 3.9, except for UTC."""
        if zone.lower() in ("utc", "gmt"):
            return self.astimezone(datetime.timezone.utc)
        import zoneinfo

        return self.astimezone(zoneinfo.ZoneInfo(zone))

    def plus(self, duration: Optional[Mapping[str, float]] = None, **units: float) -> "Moment":
        """Later by ``{"days": 1}`` or ``days=1``: years to milliseconds."""
        return self._moved({**(duration or {}), **units}, 1)

    def minus(self, duration: Optional[Mapping[str, float]] = None, **units: float) -> "Moment":
        return self._moved({**(duration or {}), **units}, -1)

    def startOf(self, unit: str) -> "Moment":
        name = _singular(unit)
        if name == "week":
            return self.startOf("day") - datetime.timedelta(days=self.weekday())
        start: Dict[str, int] = {"microsecond": 0}
        for smaller, first in (("second", 0), ("minute", 0), ("hour", 0), ("day", 1), ("month", 1)):
            if name == smaller:
                break
            start[smaller] = first
        if name == "millisecond":
            start = {"microsecond": self.microsecond // 1000 * 1000}
        elif name == "quarter":
            start["month"] = (self.month - 1) // 3 * 3 + 1
        return self.replace(**start)  # type: ignore[arg-type]

    def endOf(self, unit: str) -> "Moment":
        following = self.startOf(unit).plus({_singular(unit): 1})
        return following - datetime.timedelta(milliseconds=1)

    def _moved(self, duration: Mapping[str, float], sign: int) -> "Moment":
        months = 0
        seconds = 0.0
        for unit, count in duration.items():
            name = _singular(unit)
            months += int(_MONTHS.get(name, 0) * count) * sign
            seconds += _UNITS.get(name, 0) * count * sign
        moved = self
        if months:
            year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
            first_of_next = datetime.date(year + month // 11, (month + 1) % 12 + 1, 1)
            last = (first_of_next - datetime.timedelta(days=1)).day
            moved = self.replace(year=year, month=month + 1, day=min(self.day, last))
        return moved + datetime.timedelta(seconds=seconds)

    def _token(self, token: str, quoted: Optional[str]) -> str:
        if quoted is not None:
            return quoted
        if token in _STRFTIME:
            text = self.strftime(_STRFTIME[token])
            return text.lstrip("0") or "0" if token in _SHORT else text
        numbers = {
            "SSS": "%03d" % self.millisecond,
            "X": str(self.toUnixInteger()),
            "x": str(self.toMillis()),
            "o": str(self.timetuple().tm_yday),
            "q": str((self.month - 1) // 3 + 1),
        }
        if token in numbers:
            return numbers[token]
        offset = self.strftime("%z") or "+0000"
        if token == "ZZZ":
            return offset
        short = offset[0] + str(int(offset[1:3])) + (":" + offset[3:5] if offset[3:5] != "00" else "")
        return offset[:3] + ":" + offset[3:5] if token == "ZZ" else short


def _singular(unit: str) -> str:
    name = unit[:-1] if unit.endswith("s") else unit
    if name not in _UNITS and name not in _MONTHS:
        raise ValueError("'%s' is no unit of time" % unit)
    return name


_STRFTIME = dict(
    pair.split(":")
    for pair in [
        "yyyy:%Y",
        "yy:%y",
        "LLLL:%B",
        "LLL:%b",
        "LL:%m",
        "L:%m",
        "MMMM:%B",
        "MMM:%b",
        "MM:%m",
        "M:%m",
        "dd:%d",
        "d:%d",
        "EEEE:%A",
        "EEE:%a",
        "cccc:%A",
        "ccc:%a",
        "HH:%H",
        "H:%H",
        "hh:%I",
        "h:%I",
        "mm:%M",
        "m:%M",
        "ss:%S",
        "s:%S",
        "a:%p",
    ]
)
_SHORT = frozenset({"L", "M", "d", "H", "h", "m", "s"})
