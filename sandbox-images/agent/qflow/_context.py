"""What a run tells the code of itself, and takes from it beside the result."""

import os
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from qflow._secret import Secrets

if TYPE_CHECKING:
    import logging

PROGRESS_INTERVAL_S = 0.1


class Files:
    """Files that go out with the item that is being made."""

    def __init__(self, add: Callable[[str, Any, str], None]) -> None:
        self._add = add

    def add(self, name: str, content: Any, mime: str = "") -> None:
        """Add `content` (bytes, text, a Path, a File, a picture or a figure) as the file `name` of the item.

        It is read now. Raises ValueError for what is no file.
        """
        self._add(name, content, mime)


class Teller:
    """Passes progress on, ten times a second at most; the end of it always."""

    def __init__(self, tell: Callable[[float, str], None]) -> None:
        self._tell = tell
        self._last = float("-inf")
        self._ended = False

    def __call__(self, fraction: Optional[float], text: str) -> None:
        known = -1.0 if fraction is None else float(fraction)
        # NaN is no fraction either, and is not above 0.
        known = min(known, 1.0) if known >= 0 else -1.0
        ends = known >= 1.0 and not self._ended
        now = monotonic()
        if ends or now - self._last >= PROGRESS_INTERVAL_S:
            self._last = now
            self._ended = known >= 1.0
            self._tell(known, str(text))


class Context:
    """Annotate a parameter with this class, and each call has its own.

    `execution` and `workflow` are n8n's ids, `node` the node's name, `item` the number of the item that the call is
    for, from 0, or None where one call takes all. `cache` is a dict that all nodes of one execution share as long as
    its session lives.
    """

    __slots__ = ("_tell", "cache", "execution", "files", "item", "node", "secrets", "workflow")

    def __init__(
        self,
        *,
        execution: str,
        workflow: str,
        node: str,
        item: Optional[int],
        secrets: Secrets,
        cache: Dict[Any, Any],
        files: Files,
        tell: Callable[[Optional[float], str], None],
    ) -> None:
        self.execution = execution
        self.workflow = workflow
        self.node = node
        self.item = item
        self.secrets = secrets
        self.cache = cache
        self.files = files
        self._tell = tell

    @property
    def traceparent(self) -> str:
        """The trace that the run is part of, as the header of that name writes it; empty where there is none."""
        return os.environ.get("TRACEPARENT", "")

    @property
    def logger(self) -> "logging.Logger":
        """Its records, of every level, stand in the node's output."""
        from qflow import _log

        return _log.logger()

    def progress(self, fraction: Optional[float], text: str = "") -> None:
        """Say how far the run is, from 0 to 1, or None where that cannot be known."""
        self._tell(fraction, text)

    def __repr__(self) -> str:
        return "Context(execution=%r, node=%r, item=%r)" % (self.execution, self.node, self.item)

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError("A Context belongs to its run: it is neither pickled nor copied.")


Context.__module__ = Files.__module__ = "qflow"
