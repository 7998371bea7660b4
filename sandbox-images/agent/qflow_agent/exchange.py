"""What a session asks of the runner, and gives to it, beside its runs: files, values of other sessions, progress.

Everything goes over the session's one connection, which carries one run at a time: so a question is answered by
the very next message, or by the connection's end.
"""

import os
import secrets
import threading
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from qflow_agent import wire
from qflow_agent.channel import Buffer, Channel

FILES = os.environ.get("QFLOW_FILES", "")

Source = Union[Buffer, str]
"""Bytes, or the path of a file."""


class NotToBeHad(Exception):
    """The runner's sentence on why a file or a value cannot be given."""


class RunnerGone(Exception):
    """The connection ended: nobody waits for this run any more."""


class Exchange:
    """Of one session. Its calls may come from any thread of the code, but not from a process that it forked."""

    def __init__(self, channel: Optional[Channel]) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.run = 0

    def fetch_value(self, reference: str) -> bytearray:
        """The pickled form of a value that another session of this workflow left. Raises NotToBeHad."""
        with self._lock:
            have = self._ask(wire.Want(reference, "value"))
            value = bytearray(have.size)
            filled = 0
            for part in self._parts(reference):
                value[filled : filled + len(part)] = part
                filled += len(part)
            if filled != have.size:
                raise NotToBeHad("The value came incomplete.")
            return value

    def fetch_file(self, file: str) -> str:
        """The path at which an uploaded file can be read until the execution is over. Raises NotToBeHad."""
        with self._lock:
            return os.path.join(FILES, self._ask(wire.Want(file, "file")).path)

    def give_file(self, source: Source, name: str, mime: str) -> str:
        """Hand a file over, piece by piece. Its id, under which the API has it. Raises OSError for an unreadable path."""
        file = secrets.token_urlsafe(18)
        self._give(wire.Give(file, "file", name, mime), _pieces(source))
        return file

    def give_value(self, reference: str, buffers: Iterable[Buffer]) -> None:
        """Hand over the pickled form of what `reference` stands for."""
        self._give(wire.Give(reference, "value"), _cut(buffers))

    def leave(self) -> None:
        """In a process that was forked off: let go of the connection, which is the session's."""
        if self._channel is not None and os.getpid() != self._pid:
            self._channel.close()
            self._channel = None

    def send(self, message: wire.Message, payload: Sequence[Buffer] = ()) -> None:
        """Answer the runner, whatever threads of the code are about to tell it."""
        with self._lock:
            self._send(message, payload)

    def progress(self, fraction: float, text: str) -> None:
        """Tell whoever watches the run how far it is, from 0 to 1; negative where that cannot be known."""
        with self._lock:
            self._send(wire.Progress(self.run, float(fraction), text[:1_000]))

    def printed(self, stream: str, text: str) -> bool:
        """Show whoever watches the run what it printed. False where something else is being sent, or nobody is there.

        Never waits: whoever prints may do so in a signal handler, while this thread is in the middle of sending.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._send(wire.Printed(self.run, stream, text))
        except (RunnerGone, OSError):
            return False
        finally:
            self._lock.release()
        return True

    def _give(self, give: wire.Give, pieces: Iterator[Buffer]) -> None:
        with self._lock:
            pending = next(
                pieces, b""
            )  # before anything is announced: a path may turn out not to be readable
            self._send(give)
            for piece in pieces:
                self._send(wire.Part(give.id), [pending])
                pending = piece
            self._send(wire.Part(give.id, last=True), [pending])

    def _ask(self, want: wire.Want) -> wire.Have:
        self._send(want)
        have = self._receive()[0]
        if not isinstance(have, wire.Have) or have.id != want.id:
            raise RunnerGone
        if have.reason:
            raise NotToBeHad(have.reason)
        return have

    def _parts(self, reference: str) -> Iterator[bytearray]:
        while True:
            message, payload = self._receive()
            if not isinstance(message, wire.Part) or message.id != reference:
                raise RunnerGone
            yield payload
            if message.last:
                return

    def _receive(self) -> Tuple[wire.Message, bytearray]:
        received = None if self._channel is None else self._channel.receive()
        if received is None:
            raise RunnerGone
        return received

    def _send(self, message: wire.Message, payload: Sequence[Buffer] = ()) -> None:
        if self._channel is None or os.getpid() != self._pid:
            raise RunnerGone
        self._channel.send(message, payload)


class LocalExchange(Exchange):
    """Without a runner: what was given can be fetched again. For tests, and for a call outside a sandbox."""

    def __init__(self, directory: str) -> None:
        super().__init__(None)
        self._directory = directory
        self.files: Dict[str, wire.Give] = {}
        self.values: Dict[str, bytearray] = {}
        self.told: List[Tuple[float, str]] = []

    def path(self, file: str) -> str:
        return os.path.join(self._directory, file)

    def fetch_value(self, reference: str) -> bytearray:
        try:
            return bytearray(self.values[reference])
        except KeyError:
            raise NotToBeHad("The value is gone.") from None

    def fetch_file(self, file: str) -> str:
        if not os.path.exists(self.path(file)):
            raise NotToBeHad("The file is gone.")
        return self.path(file)

    def progress(self, fraction: float, text: str) -> None:
        self.told.append((fraction, text))

    def _give(self, give: wire.Give, pieces: Iterator[Buffer]) -> None:
        content = bytearray().join(pieces)
        if give.kind == "value":
            self.values[give.id] = content
            return
        self.files[give.id] = give
        with open(self.path(give.id), "wb") as file:
            file.write(content)


def _pieces(source: Source) -> Iterator[Buffer]:
    if isinstance(source, str):
        with open(source, "rb") as file:
            while True:
                piece = file.read(wire.PART)
                if not piece:
                    return
                yield piece
    else:
        yield from _cut([source])


def _cut(buffers: Iterable[Buffer]) -> Iterator[Buffer]:
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        for start in range(0, len(view), wire.PART):
            yield view[start : start + wire.PART]
