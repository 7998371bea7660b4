"""Turns what left the person's code into the problem that they read."""

import sys
from typing import Any, Dict, Optional

from qflow_agent.egress_failures import not_reached
from qflow_agent.limit_failures import limit_met
from qflow_agent.problem import Problem, TimeLimit, listed
from qflow_agent.tracebacks import Labels, format_error, headline, message, type_name

_LISTED = "Code reaches only what the nodes of its workflow list: add host:port to this node's Network Access (in its options)."


def problem_of(
    error: BaseException, labels: Labels, item: Optional[int] = None, fields: Optional[Dict[str, Any]] = None
) -> Problem:
    """The problem that stands for `error`; `fields` is the JSON of the item that the code had."""
    try:
        trace = format_error(error, labels)
    except Exception:
        trace = type_name(error)  # no exception, however hostile, may keep its run from being answered
    if isinstance(error, TimeLimit):
        return time_limit(item, trace)
    if isinstance(error, MemoryError):
        return Problem(
            "out_of_memory",
            "The code needed more memory than the sandbox has.",
            hint="Handle fewer items at a time, or free large objects.",
            item=item,
            traceback=trace,
        )
    if isinstance(error, SystemExit):
        return Problem(
            "code_exited",
            "The code ended itself with %s." % _exit_status(error),
            hint="Return a value, or raise an exception, instead of calling sys.exit().",
            item=item,
            traceback=trace,
        )
    if not_reached(error):
        return Problem("network_refused", headline(error), hint=_LISTED, item=item, traceback=trace)
    met = limit_met(error)
    if met:
        return Problem(met[0], headline(error), hint=met[1], item=item, traceback=trace)
    return Problem("code_raised", headline(error), hint=_hint(error, fields), item=item, traceback=trace)


def time_limit(item: Optional[int] = None, trace: Optional[str] = None) -> Problem:
    return Problem(
        "time_limit",
        "The code ran longer than its time limit.",
        hint="Raise the time limit in the node's options, or give it less to do at once.",
        item=item,
        traceback=trace,
    )


def _exit_status(error: SystemExit) -> str:
    code = SystemExit.__dict__["code"].__get__(error)
    if code is None or type(code) is bool or type(code) is int:
        return "exit status %d" % (code or 0)
    return "exit status 1 and the message '%s'" % message(error)


def _hint(error: BaseException, fields: Optional[Dict[str, Any]]) -> Optional[str]:
    if isinstance(error, ModuleNotFoundError):
        name = ImportError.__dict__["name"].__get__(error)
        if type(name) is str:
            package = name.partition(".")[0]
            if package != name and package in sys.modules:
                return "The package '%s' that is installed has no '%s': it may be another than you mean." % (
                    package,
                    name,
                )
            return "The package '%s' is not installed in this sandbox." % package
    if isinstance(error, KeyError) and fields is not None:
        arguments = BaseException.__dict__["args"].__get__(error)
        if len(arguments) == 1 and type(arguments[0]) is str and arguments[0] not in fields:
            return "The item has %s." % ("the fields " + listed(list(fields)) if fields else "no fields")
    return None
