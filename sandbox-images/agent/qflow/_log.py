"""The logger of a context: one line of the captured output per record. Apart, because logging costs an import."""

import logging
import sys


class _Handler(logging.Handler):
    """Writes to whatever sys.stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


def logger() -> logging.Logger:
    found = logging.getLogger("qflow")
    if not any(isinstance(handler, _Handler) for handler in found.handlers):
        handler = _Handler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        found.addHandler(handler)
        found.setLevel(logging.DEBUG)
        found.propagate = False  # a root logger that the code sets up would say everything twice
    return found
