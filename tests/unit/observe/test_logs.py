"""The log of a process in which libraries, threads and tasks fail: every line is an event, and no secret is in it."""

import json
import subprocess
import sys
from typing import Any

import pytest

START = """\
import asyncio, logging, threading, warnings
from qflow_runner.observe import logs, masking
logs.configure("json", "info")
masking.remember("pa$$word-of-the-database")
"""


def events_of(code: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "" == done.stdout
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_library_says_something_once_in_one_line() -> None:
    """Also if the log is set up twice, as it is where one command calls another."""
    [event] = events_of(
        'logs.configure("json", "info")\n'
        'logging.getLogger("some.library").warning("at %s\\nand on", "redis://:pa$$word-of-the-database@h")\n'
        'logging.getLogger("some.library").info("of no interest")\n'
    )

    assert ("library", "warning", "some.library") == (event["event"], event["level"], event["part"])
    assert "at redis://:***@h\nand on" == event["said"]


@pytest.mark.parametrize(("level", "traceback"), [("error", True), ("warning", False)])
def test_only_errors_of_libraries_have_their_traceback(level: str, traceback: bool) -> None:
    [event] = events_of(
        f"try:\n    1 / 0\nexcept ZeroDivisionError:\n"
        f'    logging.getLogger("x").{level}("failed", exc_info=True)\n'
    )

    assert traceback == ("ZeroDivisionError: division by zero" in event.get("exception", ""))


def test_what_a_library_says_is_cut_and_never_fails_the_caller() -> None:
    long, odd = events_of(
        'logging.getLogger("x").error("y" * 100_000)\nlogging.getLogger("x").error("%d of it", "none")\n'
    )

    assert 2000 == len(long["said"])
    assert "%d of it" == odd["said"]


def test_a_level_of_a_library_s_own_is_told_as_the_one_below() -> None:
    odd, most = events_of('logging.getLogger("x").log(35, "odd")\nlogging.getLogger("x").log(99, "most")\n')

    assert ("warning", "critical") == (odd["level"], most["level"])


def test_a_task_that_nobody_awaited_is_told() -> None:
    [event] = events_of(
        "async def boom():\n    raise ValueError('no pa$$word-of-the-database here')\n"
        "async def main():\n    task = asyncio.create_task(boom())\n    await asyncio.sleep(0)\n"
        "asyncio.run(main())\n"
    )

    assert ("library", "error", "asyncio") == (event["event"], event["level"], event["part"])
    assert "ValueError: no *** here" in event["exception"]


def test_a_thread_that_fails_is_told() -> None:
    [event] = events_of(
        'thread = threading.Thread(target=lambda: 1 / 0, name="some-thread")\nthread.start()\nthread.join()\n'
    )

    assert ("thread.failed", "some-thread") == (event["event"], event["thread"])
    assert "ZeroDivisionError" in event["exception"]


def test_a_warning_is_told() -> None:
    [event] = events_of('warnings.warn("old ways", UserWarning, stacklevel=1)\n')

    assert ("library", "warning", "py.warnings") == (event["event"], event["level"], event["part"])
    assert "UserWarning: old ways" in event["said"]
