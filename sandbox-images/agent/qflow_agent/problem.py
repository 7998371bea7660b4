"""What a run can fail with, as the members of a problem document."""

from typing import Any, Dict, Optional

CODES: Dict[str, str] = {
    "body_invalid": "type",  # the request is not {"items": […], "args": […]}
    "code_syntax": "user_code",  # the code does not compile
    "code_raised": "user_code",  # an exception left the code
    "code_exited": "user_code",  # the code called sys.exit or raised SystemExit
    "function_none": "user_code",  # the code defines no public function
    "function_missing": "user_code",  # the code has no function of the name that was asked for
    "function_ambiguous": "user_code",  # several functions, and none was asked for
    "argument_missing": "type",  # nothing gives a parameter its value
    "argument_unknown": "type",  # a value is mapped to a parameter that the function does not have
    "argument_type": "type",  # a value does not fit its parameter's annotation
    "result_type": "type",  # what the function returned does not fit its annotation, or cannot become items
    "result_missing": "user_code",  # a script came to its end without a result
    "script_variable": "user_code",  # a script uses a variable of n8n's that does not come with a run
    "reference_gone": "unavailable",  # the object that a reference stands for is not kept any more
    "reference_unpicklable": "type",  # the object cannot leave the session that holds it, or not be loaded here
    "file_gone": "unavailable",  # an item's file is not kept any more
    "process_exited": "user_code",  # the code ended the parallel process that worked on the item
    "process_killed": "sandbox",  # a signal ended it: a crash in C, or another process
    "network_refused": "network",  # the code tried to reach what its sandbox does not
    "limit_reached": "policy",  # files or open files: more than the code may have
    "process_limit": "policy",  # processes or threads: likewise
    "result_too_large": "policy",  # the result is over the node's limit
    "out_of_memory": "memory",
    "time_limit": "timeout",
}


class TimeLimit(BaseException):
    """Raised inside the code when its time is up. Not an Exception, so that `except Exception` lets it pass."""


class Problem(Exception):
    """A failure that a person reads: `detail` says what happened, `hint` what to do about it.

    `item` counts the input items from 0. `code` is one of CODES, which also gives the category.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: Optional[str] = None,
        item: Optional[int] = None,
        parameter: Optional[str] = None,
        traceback: Optional[str] = None,
        extra: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(detail)
        self.category = CODES[code]
        self.code = code
        self.detail = detail
        self.hint = hint
        self.item = item
        self.parameter = parameter
        self.traceback = traceback
        self.extra = extra or {}
        self.timing: Dict[str, float] = {}
        """Of the run that failed with it, as far as it came: milliseconds by phase."""
        self.items_in = 0

    def document(self) -> Dict[str, Any]:
        """The members that have a value, as JSON has them."""
        members = {
            "category": self.category,
            "code": self.code,
            "detail": self.detail,
            "hint": self.hint,
            "item": self.item,
            "parameter": self.parameter,
            "traceback": self.traceback,
        }
        members.update(self.extra)
        return {name: _clean(value) for name, value in members.items() if value is not None}


def problem_from(document: Dict[str, Any]) -> Problem:
    """The problem that `document` was made of."""
    rest = {name: value for name, value in document.items() if name not in ("category", "code", "detail")}
    named = {name: rest.pop(name, None) for name in ("hint", "item", "parameter", "traceback")}
    return Problem(document["code"], document["detail"], extra=rest, **named)


def nearest(name: str, names: "list[str]") -> str:
    """A sentence that offers the name that was probably meant, or an empty string."""
    import difflib

    close = difflib.get_close_matches(name, names, 1, 0.6)
    return "Did you mean '%s'? " % close[0] if close else ""


def listed(names: "list[str]", limit: int = 20) -> str:
    """The names for a sentence, the first `limit` of them."""
    shown = ", ".join(names[:limit])
    return shown + (" and %d more" % (len(names) - limit) if len(names) > limit else "")


def _clean(value: Any) -> Any:
    """Text that UTF-8 can carry: a message may hold half of a surrogate pair."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
