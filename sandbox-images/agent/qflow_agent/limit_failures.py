"""Exceptions of the code that come from a limit of its sandbox, and what to do about each."""

import errno
from typing import Optional, Tuple

from qflow_agent import kernel

_HINTS = {
    errno.EFBIG: "Write smaller files, or raise the node's limit of a file's size.",
    errno.ENOSPC: "What can be written to in a sandbox is small, and is memory: remove files that are not needed any more, "
    "hand them over a piece at a time, or raise QFLOW_TMP_MB.",
    errno.EMFILE: "Close files and connections when they are done with: use them in a `with` block.",
}
_PROCESSES = (
    "process_limit",
    "Start fewer processes and threads at once, wait for those that ended, or raise the limit of processes.",
)


class _Refusals:
    """The kernel's count of processes that it refused: by the time somebody asks, those that were there may be gone."""

    def __init__(self) -> None:
        self._seen = 0

    def look(self) -> bool:
        """Whether there were more since the last look."""
        seen, self._seen = self._seen, kernel.processes_refused()
        return self._seen != seen


_REFUSALS = _Refusals()


def begin() -> None:
    """What was refused to others before this process began is not its matter."""
    _REFUSALS.look()


def limit_met(error: BaseException) -> Optional[Tuple[str, str]]:
    """Which, as a problem's code, and what to do; None where it was none."""
    if isinstance(error, OSError):
        number = OSError.__dict__["errno"].__get__(error)
        if type(number) is int and number in _HINTS:
            return "limit_reached", _HINTS[number]
        # A socket that does not block says the same, and has nothing to do with processes.
        refused = number == errno.EAGAIN and (_REFUSALS.look() or kernel.processes_full())
        return _PROCESSES if refused else None
    if isinstance(error, RuntimeError):
        arguments = BaseException.__dict__["args"].__get__(error)
        if arguments and arguments[0] == "can't start new thread":
            return _PROCESSES
    return None
