"""Which modules belong to a Python version's standard library."""

import sys
from dataclasses import dataclass

_ADDED = {
    "graphlib": (3, 9),
    "zoneinfo": (3, 9),
    "tomllib": (3, 11),
    "annotationlib": (3, 14),
    "compression": (3, 14),
}
_BACKPORTS = {
    "tomllib": "tomli",
    "zoneinfo": "backports.zoneinfo",
    "graphlib": "graphlib-backport",
    "distutils": "setuptools",
    "asynchat": "pyasynchat",
    "asyncore": "pyasyncore",
    "audioop": "audioop-lts",
    "cgi": "legacy-cgi",
    "cgitb": "legacy-cgi",
}
_DEAD_BATTERIES = (
    "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd"
    " sunau telnetlib uu xdrlib"
)
_REMOVED: dict[str, tuple[int, int]] = {
    name: version
    for version, names in (
        ((3, 9), "_dummy_thread dummy_threading"),
        ((3, 10), "formatter macurl2path parser symbol"),
        ((3, 11), "binhex"),
        ((3, 12), "asynchat asyncore distutils imp smtpd"),
        ((3, 13), _DEAD_BATTERIES),
    )
    for name in names.split()
}
_ALL = sys.stdlib_module_names | _ADDED.keys() | _REMOVED.keys()


@dataclass(frozen=True)
class Absence:
    """Why a module of the standard library is not there, and the distribution that stands in for it, if any."""

    message: str
    distribution: str


def is_standard(module: str) -> bool:
    """Whether some version has it: an index has nothing of that name."""
    return module in _ALL


def absence_of(module: str, python: tuple[int, int]) -> Absence | None:
    running = f"{python[0]}.{python[1]}"
    distribution = _BACKPORTS.get(module, "")
    if module in _ADDED and python < _ADDED[module]:
        since = "{}.{}".format(*_ADDED[module])
        return Absence(f"Python {running} has no module {module}: it came with Python {since}.", distribution)
    if module in _REMOVED and python >= _REMOVED[module]:
        until = "{}.{}".format(*_REMOVED[module])
        return Absence(f"Python {running} has no module {module}: Python {until} removed it.", distribution)
    return None
