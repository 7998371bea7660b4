"""What packages leave to their first use, done ahead: in an environment once, and once more in each spare session.

A fork pays for each page that it first writes, and a first table writes thousands of them. Nothing here draws a random
number or starts a thread: each session finds its packages as a new process would.
"""

import sys
from typing import Any, Callable, Dict, Iterator


def _numpy(numpy: Any) -> None:
    (numpy.arange(4.0) * 2).sum()


def _pandas(pandas: Any) -> None:
    # No more than what nearly every table meets: a session that is never used has paid for it too.
    table = pandas.DataFrame([{"n": 1, "text": "a"}, {"n": 2, "text": "b"}])
    table["n"].sum()
    table.to_dict("records")


EXERCISES: Dict[str, Callable[[Any], None]] = {"numpy": _numpy, "pandas": _pandas}


def exercised() -> Iterator[str]:
    """The names of those that are imported here, each after it was used."""
    for name, use in EXERCISES.items():
        module = sys.modules.get(name)
        if module is None:
            continue
        try:
            use(module)
        except Exception as error:  # a package of this name may be another one
            sys.stderr.write("Not used ahead: %s: %s\n" % (name, type(error).__name__))
        yield name
