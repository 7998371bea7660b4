"""What a zygote does to the processes below it, and to what they leave behind."""

import os
import signal
import sys
import time
from typing import Callable

ORPHAN_SECONDS = 1.0
"""How long orphans may keep forking away from their end before the whole sandbox is given up."""


def null_stdin() -> None:
    """Sessions inherit an input that is at its end."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, closefd=False)


def remove(home: str) -> None:
    try:
        os.rmdir(home)  # most are empty, and this is ten times quicker than to look
    except OSError:
        import shutil  # with its compression libraries it would make every fork dearer

        shutil.rmtree(home, ignore_errors=True)


def end_group(leader: int) -> None:
    send_signal(os.killpg, leader)


def end_whole_group(leader: int) -> None:
    """Until none of it is left: what is still dying holds places of the process limit that the next run may need."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        try:
            os.waitpid(-leader, 0)
        except ChildProcessError:
            time.sleep(0.001)  # its parent is dying too, and has not handed it over yet: nothing tells when


def send_signal(send: Callable[[int, int], None], target: int) -> None:
    try:
        send(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def exit_status(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
