"""Starts the zygote: ``python -I __main__.py --socket PATH --token TOKEN [--lib DIR]``.

The agent and its libraries are imported from directories of their own and then taken off the path,
and the libraries out of ``sys.modules``: a person's code meets neither, and may bring its own.
"""

import os
import sys

PRIVATE_LIBRARIES = ("msgpack", "orjson")


def main() -> None:
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    agent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    private = [agent, options.get("--lib") or os.path.join(os.path.dirname(agent), "lib")]
    sys.path[:0] = private
    from qflow_agent import zygote

    sys.path[:] = [entry for entry in sys.path if entry not in private]
    for name in [name for name in sys.modules if name.split(".")[0] in PRIVATE_LIBRARIES]:
        del sys.modules[name]
    sys.argv[:] = [""]
    zygote.serve(options["--socket"], options["--token"])


if __name__ == "__main__":
    main()
