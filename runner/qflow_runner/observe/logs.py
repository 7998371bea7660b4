"""Structured log events on stderr: coloured lines for people, one JSON object a line for machines.

What libraries log, warnings, and exceptions that nobody handled go the same way: in the same form, with secrets masked.
"""

import logging
import sys
import threading

import structlog

from qflow_runner.observe.masking import mask_event

log = structlog.get_logger()

LONGEST = 2000
"""Characters of what a library says."""


def configure(form: str, level: str) -> None:
    """Called once at start."""
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    if not any(isinstance(each, _Libraries) for each in root.handlers):
        root.addHandler(_Libraries())
    logging.captureWarnings(True)
    threading.excepthook = _thread_ended


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # the library's arguments do not fit its own format
            said = str(record.msg)
        # Where a warning says in words what happened, a traceback of the library's inside adds nothing.
        shown = record.exc_info if record.levelno >= logging.ERROR else None
        log.log(record.levelno, "library", part=record.name, said=said.strip()[:LONGEST], exc_info=shown)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        name = "" if ended.thread is None else ended.thread.name
        log.error("thread.failed", thread=name, exc_info=ended.exc_value)
