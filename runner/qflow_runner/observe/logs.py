"""Structured log events on stderr: coloured lines for people, one JSON object a line for machines.

What libraries log, warnings, and exceptions that nobody handled go the same way: in the same form, with secrets masked.
"""

import logging
import sys
import threading
from collections.abc import MutableMapping
from typing import Any

import structlog

from qflow_runner.observe.masking import mask_event
from qflow_runner.visible import visible

log = structlog.get_logger()

LONGEST = 2000
"""Characters of what a library says."""


def configure(form: str, level: str) -> None:
    """Called once at start."""
    shown = (
        (structlog.processors.JSONRenderer(),)
        if form == "json"
        else (_only_text, structlog.dev.ConsoleRenderer())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_event,
            *shown,
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


def _only_text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names and messages of others do nothing to the terminal that the log is read in. Other values are shown as Python writes them."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = visible(value)
    return event


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # the library's arguments do not fit its own format
            said = str(record.msg)
        # Where a warning says in words what happened, a traceback of the library's inside adds nothing.
        shown = record.exc_info if record.levelno >= logging.ERROR else None
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # of levels of its own, the one below
        log.log(level, "library", part=record.name, said=said.strip()[:LONGEST], exc_info=shown)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        name = "" if ended.thread is None else ended.thread.name
        log.error("thread.failed", thread=name, exc_info=ended.exc_value)
