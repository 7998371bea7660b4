"""What a person is told where a command cannot go on."""

import errno
import socket

from qflow_runner.errors import QflowError

RIGHTS = (
    "Give the user that runs this the rights there, or set another place (`qflow settings` names them all)."
)
HINTS = {
    errno.EADDRINUSE: "Another program listens there: stop it, or set another QFLOW_PORT.",
    errno.EADDRNOTAVAIL: "Set QFLOW_HOST to an address of this machine.",
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
    errno.EROFS: "It is mounted to be read only: set another place (`qflow settings` names them all).",
    errno.ENOSPC: "Free space on that disk.",
    errno.EDQUOT: "Free space on that disk.",
}
PLACE = "See that it is what it should be, or set another place (`qflow settings` names them all)."


def sentence(error: QflowError | OSError) -> str:
    """With what to do, and with the path that it is about, which callers over the network are not told."""
    if isinstance(error, QflowError):
        below = error.__cause__
        where = f" It is about {below.filename}." if isinstance(below, OSError) and below.filename else ""
        return " ".join(filter(None, (error.detail + where, error.hint)))
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        return f"A name could not be resolved: {reason}. See QFLOW_HOST."
    about = f"{error.filename}: {reason}" if error.filename else reason[:1].upper() + reason[1:]
    hint = HINTS.get(error.errno or 0, PLACE if error.filename else "")
    return f"{about}. {hint}".strip()
