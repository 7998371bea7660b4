"""A process that calls the function for some of a run's items, and hands what they become to the session.

It is a fork of the session, with all that was loaded and resolved there. Only the session speaks with the runner and
keeps objects, so files, values and progress go through it.
"""

import os
import sys
import threading
from time import monotonic
from typing import Any, Callable, Iterator, List, NoReturn, Optional, Sequence, Tuple

from qflow_agent.body import Json
from qflow_agent.codec import Buffer
from qflow_agent.exchange import Exchange, NotToBeHad, RunnerGone, Source
from qflow_agent.keeping import Keeper
from qflow_agent.links import Link, LinkBroken
from qflow_agent.output import Output
from qflow_agent.pickling import Unpicklable
from qflow_agent.places import Entry, Place, written
from qflow_agent.problem import Problem, TimeLimit
from qflow_agent.references import KEY, Desk, Objects
from qflow_agent.results import ItemWriter

FLUSH_S = 0.002
"""Results wait so long for more: a hand-over for each of many short calls would cost more than the calls."""


class Hand:
    """What a worker has of the session. Its calls may come from any thread of the code."""

    def __init__(self, link: Link, place: Place, output: Optional[Output]) -> None:
        self._link = link
        self._place = place
        self._output = output
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._flushed = 0.0

    def numbered(self, entries: Sequence[Any]) -> Iterator[Tuple[int, Any]]:
        """The items to call for, as they are dealt out."""
        while True:
            start, stop = self._next()
            if start == stop:
                return
            self._flushed = monotonic()
            for number in range(start, stop):
                self._place.item = number
                yield number, entries[number]

    def writer(self, writer: ItemWriter, desk: Optional[Desk]) -> "HandingWriter":
        """What hands over all that `writer` writes; `desk` is the worker's."""
        objects = None if desk is None else desk.objects
        return HandingWriter(writer, self, objects if isinstance(objects, HandedObjects) else None)

    def _next(self) -> Tuple[int, int]:
        try:
            self.flush()
            return self.ask(["next"])
        except TimeLimit:
            os._exit(0)  # it met no item here; the session says which it met elsewhere

    def item(self, number: int, parts: List[bytes], references: List[str], *, error: bool) -> None:
        """What an item became."""
        if os.getpid() != self._pid:
            os._exit(0)  # a process that the code forked, and that came back from the call
        logs, dropped = self._written()
        made = written(Entry(number, error, list(map(len, parts)), logs, dropped, references), parts)
        if not self._place.add(made):
            self.flush()
            if not self._place.add(made):
                self.tell(["items"], [made])
        if monotonic() - self._flushed >= FLUSH_S:
            self.flush()

    def flush(self) -> None:
        used = self._place.used
        if used:
            self.tell(["items"], [used])
            self._place.empty()
        self._flushed = monotonic()

    def failed(self, problem: Problem) -> NoReturn:
        """The run is over, as far as this process can tell."""
        if os.getpid() == self._pid:
            self.flush()
            self.tell(["failed", problem.document(), *self._written()])
        os._exit(0)

    def end(self, writer: ItemWriter, keeper: Optional[Keeper]) -> NoReturn:
        """There are no more items."""
        notes = writer.notes
        counts = [notes.integers, notes.not_numbers, notes.renamed]
        self.tell(["end", counts, [] if keeper is None else keeper.unasked, *self._written()])
        os._exit(0)

    def ask(self, message: List[Any], payload: Sequence[Buffer] = ()) -> Any:
        """Send, and return the answer. Raises RunnerGone in a process that the code forked."""
        with self._lock:
            self._send(message, payload)
            try:
                return self._link.receive()
            except LinkBroken:
                os._exit(1)  # nobody waits for this process any more

    def tell(self, message: List[Any], payload: Sequence[Buffer] = ()) -> None:
        with self._lock:
            self._send(message, payload)

    def _send(self, message: List[Any], payload: Sequence[Buffer]) -> None:
        if os.getpid() != self._pid:
            raise RunnerGone
        try:
            self._link.send(message, payload)
        except LinkBroken:
            os._exit(1)

    def _written(self) -> Tuple[List[Tuple[str, str]], int]:
        return ([], 0) if self._output is None else self._output.drain()


class HandingWriter:
    """Writes as an ItemWriter does, and hands over what each call became."""

    def __init__(self, writer: ItemWriter, hand: Hand, objects: "Optional[HandedObjects]") -> None:
        self._writer = writer
        self._hand = hand
        self._objects = objects

    def write(self, value: Any, number: int) -> None:
        self._writer.write(value, number)
        parts = self._writer.take()
        references = [] if self._objects is None else self._objects.hand_over(self._hand)
        self._hand.item(number, parts, references, error=False)

    def write_error(self, json: Json, number: int, document: Json) -> None:
        self._writer.write_error(json, number, document)
        self._hand.item(number, self._writer.take(), [], error=True)


class HandedObjects(Objects):
    """The objects of results. The session gets a copy of each, which is the one that the next node is given."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh: List[str] = []

    def keep(self, value: Any, node: str = "") -> Json:
        document = super().keep(value, node)
        self._fresh.append(document[KEY]["ref"])
        return document

    def hand_over(self, hand: Hand) -> List[str]:
        """Give the session what was kept since the last call. Raises Problem (reference_unpicklable)."""
        fresh, self._fresh = self._fresh, []
        for reference in fresh:
            if not self.has(reference):
                continue  # forgotten, with a result that is none
            try:
                packed = self.export(reference)
            except Unpicklable as error:
                raise _stays(str(error), error.hint) from None
            refused = hand.ask(["value", reference], packed)
            if refused:
                raise _stays(*refused)
        return [reference for reference in fresh if self.has(reference)]


class HandedExchange(Exchange):
    """The session's exchange, from a worker."""

    def __init__(self, hand: Hand) -> None:
        super().__init__(None)
        self._hand = hand

    def fetch_value(self, reference: str) -> bytearray:
        raise NotToBeHad("Reference %s… was not resolved before the items were shared out." % reference[:6])

    def fetch_file(self, file: str) -> str:
        path, reason = self._hand.ask(["want", file])
        if reason:
            raise NotToBeHad(reason)
        return path

    def give_file(self, source: Source, name: str, mime: str) -> str:
        path, content = (source, []) if isinstance(source, str) else ("", [source])
        file, number, reason = self._hand.ask(["give", path, name, mime], content)
        if reason:
            raise OSError(number, reason, path)
        return file

    def progress(self, fraction: float, text: str) -> None:
        self._hand.tell(["progress", float(fraction), text[:1_000]])


def desk_of(hand: Hand, desk: Optional[Desk]) -> Optional[Desk]:
    """The desk of a worker, in place of the session's."""
    return None if desk is None else Desk(HandedObjects(), HandedExchange(hand), desk.keep)


def work(hand: Hand, job: Callable[[Hand], None]) -> NoReturn:
    """Do the job, in a process that was forked for it. It ends with that, and runs nothing of the session's."""
    _reseed()
    try:
        job(hand)
    except Problem as problem:
        hand.failed(problem)
    finally:
        os._exit(1)


def _reseed() -> None:
    """Python gives each fork random numbers of its own; numpy would give all of them the same."""
    random: Any = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()


def _stays(sentence: str, hint: str) -> Problem:
    return Problem(
        "reference_unpicklable",
        "The result cannot be brought from the parallel process that made it. %s" % sentence,
        hint="%s Or let the node run its items one after the other." % hint,
    )
