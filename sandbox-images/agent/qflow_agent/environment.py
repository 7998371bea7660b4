"""An environment: a layer on the path, and its packages imported before any session is forked from it.

A package that starts threads when it is imported must not be imported ahead, because a fork takes only the
thread that forks along: such a module is named, and the environment made again without it.
"""

import gc
import importlib
import os
import sys
from typing import Optional, Sequence

from qflow_agent.exercises import exercised

AGAIN = 75
"""Exit status of a process that met such a module; it wrote the module's name to its pipe."""

LAYERS = os.environ.get("QFLOW_LAYERS", "")


def enter(layer: str, imports: Sequence[str]) -> Optional[str]:
    """Put the layer behind the standard library, import, and use. The name of the first module that started a thread.

    A module that cannot be imported is left to the code's own import, which tells a person about it.
    """
    directory = os.path.join(LAYERS, layer)
    # Not as a site directory: that would run what packages put into .pth files.
    sys.path.append(directory)
    os.environ["PATH"] = os.path.join(directory, "bin") + os.pathsep + os.environ.get("PATH", os.defpath)
    for name in imports:
        try:
            importlib.import_module(name)
        except BaseException as error:  # a package may raise anything, also SystemExit
            sys.stderr.write("Not imported ahead: %s: %s\n" % (name, type(error).__name__))
        if _threads():
            return name
    for name in exercised():
        if _threads():
            return name if name in imports else imports[-1]
    gc.collect()
    gc.freeze()  # what is shared with every session stays untouched by its collections
    return None


def _threads() -> bool:
    return len(os.listdir("/proc/self/task")) > 1
