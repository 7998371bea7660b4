"""Captures what a person's code prints, and keeps it away from the data channel.

``sys.stdout`` and ``sys.stderr`` are writers into memory, which keep the order of both. Programs and C code
write to the descriptors 1 and 2, which lead to unlinked files, read when the run ends. Past the limit,
output is dropped and counted: a flood costs the one who prints it, and neither fails nor blocks the run.

Of a run that lasts, what Python prints is shown meanwhile too, a few times a second and in part where it is much.
"""

import fcntl
import io
import os
import sys
from time import monotonic
from typing import Any, Callable, List, Optional, Tuple

from qflow_agent.masking import Mask, unmasked

LIMIT = 1_000_000
"""Characters of one run's output that are kept."""

SHOW_EVERY_S = 0.2
"""Between two times that what was printed is shown. A run that is over before shows nothing."""

SHOWN = 8_000
"""Characters that are shown at once: the last ones."""


class Output:
    def __init__(self, directory: str) -> None:
        self.mask: Mask = unmasked
        """Of the run's secrets, from when they are known until its output was taken."""
        self._directory = directory
        self._parts: List[Tuple[str, str]] = []
        self._kept = 0
        self._dropped = 0
        self._limit = LIMIT
        self._show: Optional[Callable[[str, str], bool]] = None
        self._shown = 0
        self._show_at = 0.0
        self._files = [_redirect(1, directory), _redirect(2, directory)]
        sys.stdout = _Writer(self, "stdout", 1)
        sys.stderr = _Writer(self, "stderr", 2)

    def limit(self, characters: int) -> None:
        """How much of the next run's output is kept; 0: as much as of any."""
        self._limit = characters or LIMIT

    def show(self, show: Callable[[str, str], bool]) -> None:
        """From now until the output is taken, `show` gets a stream and the text that was written to it lately.

        It says whether it took that; what it did not take is offered again.
        """
        self._show = show
        self._shown = 0
        self._show_at = monotonic() + SHOW_EVERY_S

    def write(self, stream: str, text: str) -> None:
        room = self._limit - self._kept
        if len(text) > room:
            self._dropped += len(text) - max(room, 0)
            text = text[: max(room, 0)]
        if text:
            self._kept += len(text)
            self._parts.append((stream, text))
        if self._show is not None:
            # At the end of a line, where one comes soon: `print` writes it by itself.
            late = monotonic() - self._show_at
            if late >= SHOW_EVERY_S or (late >= 0 and (not text or text.endswith("\n"))):
                self._show_lately(self._show)

    def _show_lately(self, show: Callable[[str, str], bool]) -> None:
        self._show_at = monotonic() + SHOW_EVERY_S
        fresh = self._parts[self._shown :]
        for stream in ("stdout", "stderr"):
            text = self.mask("".join(part for of, part in fresh if of == stream))
            if text and not show(stream, text[-SHOWN:]):
                return
        self._shown += len(fresh)

    def renew(self) -> None:
        """In a fork of the session: begin with nothing, and with files of its own."""
        self._parts, self._kept, self._dropped = [], 0, 0
        self._show = None
        for descriptor in self._files:
            os.close(descriptor)
        self._files = [_redirect(1, self._directory), _redirect(2, self._directory)]

    def add(self, parts: List[Tuple[str, str]], dropped: int) -> None:
        """What another process wrote, as `drain` gave it there."""
        for stream, text in parts:
            self.write(stream, text)
        self._dropped += dropped

    def drain(self) -> Tuple[List[Tuple[str, str]], int]:
        """The output since the last call, and how many characters were dropped. It counts towards the limit still."""
        for stream, descriptor in zip(("stdout", "stderr"), self._files):
            size = os.fstat(descriptor).st_size
            if size:
                self._dropped += max(size - self._limit, 0)
                self.write(stream, os.pread(descriptor, self._limit, 0).decode("utf-8", "replace"))
                os.ftruncate(descriptor, 0)
        parts, dropped = self._parts, self._dropped
        self._parts, self._dropped, self._shown = [], 0, 0
        return parts, dropped

    def take(self) -> Tuple[List[List[str]], List[str]]:
        """The output since the last call as [stream, text] in the order written, and hints about it."""
        self._show = None
        parts, dropped = self.drain()
        logs: List[List[str]] = []
        for stream, text in parts:
            if logs and logs[-1][0] == stream:
                logs[-1].append(text)
            else:
                logs.append([stream, text])
        hints = []
        if dropped:
            hints.append(
                "The code printed %d characters more than the %d that are kept." % (dropped, self._limit)
            )
        self._kept = 0
        mask, self.mask = self.mask, unmasked
        return [[entry[0], mask("".join(entry[1:]))] for entry in logs], hints


class _Writer(io.TextIOBase):
    """A text stream as ``sys.stdout`` is one, with a binary ``buffer`` and a descriptor behind it."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, output: Output, stream: str, descriptor: int) -> None:
        self._output = output
        self._stream = stream
        self._descriptor = descriptor
        self.buffer = _BinaryWriter(self)
        self.name = "<%s>" % stream

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        self._output.write(self._stream, str(text))
        return len(text)

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True


class _BinaryWriter(io.RawIOBase):
    def __init__(self, text: _Writer) -> None:
        self._text = text

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._text.write(data.decode("utf-8", "replace"))
        return len(data)

    def fileno(self) -> int:
        return self._text.fileno()

    def writable(self) -> bool:
        return True


def _redirect(target: int, directory: str) -> int:
    """Point `target` at a new file without a name, and return a descriptor of our own for it."""
    descriptor = _nameless(directory)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    os.dup2(descriptor, target)
    return descriptor


def _nameless(directory: str) -> int:
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        # gVisor has no such files.
        path = os.path.join(directory, os.urandom(8).hex())
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        return descriptor
