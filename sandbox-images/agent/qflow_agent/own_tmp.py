"""``/tmp`` as each session's own: in the sandbox's image it is a link to a descriptor of whoever follows it."""

import os
import subprocess
from typing import Any

DESCRIPTOR = 250
"""A high number, which no program takes by itself."""

LINK = "own"
"""Where the image links ``/tmp`` to, in the directory of homes. Not at once to the descriptor: gVisor looks at ``/tmp`` before
there is a process, and makes a directory of what leads nowhere yet."""


def give(directory: str) -> None:
    """From now on ``/tmp`` of this process, and of programs that it starts, is `directory`."""
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.dup2(place, DESCRIPTOR, inheritable=True)
    os.close(place)


def keep_in_children() -> None:
    """`subprocess` closes what it was not told to pass on. Called once, before the first fork."""
    try:
        os.symlink("/proc/self/fd/%d" % DESCRIPTOR, os.path.join(os.environ["TMPDIR"], LINK))
    except FileExistsError:
        pass
    init = subprocess.Popen.__init__

    def with_tmp(self: Any, *args: Any, **options: Any) -> None:
        if len(args) < 8 and options.get("close_fds", True):  # close_fds is the eighth
            options["pass_fds"] = (*options.get("pass_fds", ()), DESCRIPTOR)
        init(self, *args, **options)

    subprocess.Popen.__init__ = with_tmp  # type: ignore[method-assign]
