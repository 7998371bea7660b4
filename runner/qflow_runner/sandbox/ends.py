"""How a session's process ended, as the person whose code ran in it is told."""

import signal

from qflow_agent import wire
from qflow_runner.errors import OutOfMemory, SessionExited, SessionLost

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


def ended(message: wire.Exited) -> SessionLost:
    if message.out_of_memory:
        return OutOfMemory("The code used more memory than its sandbox has, and was stopped.")
    if message.status < 0:
        return _by_signal(-message.status)
    return SessionExited(f"The code ended its process with exit status {message.status}.")


def _by_signal(number: int) -> SessionLost:
    try:
        known = signal.Signals(number)
    except ValueError:
        return SessionLost(f"The session's process was ended by signal {number}.")
    told = f"The session's process was ended by signal {number} ({known.name})."
    if known not in _CRASHES:
        return SessionLost(told)
    return SessionLost(
        f"{told} That is a crash in compiled code.",
        hint="It is in a package, or in what the code calls through ctypes: try another version of the package. "
        "What the code had already done outside stays done.",
    )
