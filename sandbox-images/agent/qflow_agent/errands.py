"""What only the session can do, done for its workers: to keep objects, and to speak with the runner."""

import signal
from typing import Any, Callable, List, Optional, Set

from qflow._context import Teller
from qflow_agent.exchange import NotToBeHad, RunnerGone
from qflow_agent.links import Link, LinkBroken
from qflow_agent.pickling import Unpicklable
from qflow_agent.problem import TimeLimit
from qflow_agent.references import Desk


class Alarm:
    """The run's time limit, which is raised only where its reader asked for that: no record is read half and lost."""

    def __init__(self) -> None:
        self.handler: Any = signal.signal(signal.SIGALRM, self._rings)
        """What handled it before."""
        self._raises = False

    def close(self) -> None:
        signal.signal(signal.SIGALRM, self.handler)

    def interrupts(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """For what may take long, or runs code of the user's. Raises TimeLimit besides."""
        self._raises = True
        try:
            return call(*arguments)
        finally:
            self._raises = False

    def _rings(self, _number: int, _frame: Any) -> None:
        if self._raises:
            raise TimeLimit


class Errands:
    """Of one run. Each raises LinkBroken when the worker is gone that asked for it."""

    def __init__(self, desk: Optional[Desk], alarm: Alarm) -> None:
        self._asked_desk = desk
        self._alarm = alarm
        self._teller = None if desk is None else Teller(desk.exchange.progress)
        self._placed: Set[str] = set()

    def value(self, link: Link, message: List[Any], payload: memoryview) -> None:
        (reference,) = message
        refused: List[str] = []
        try:
            self._alarm.interrupts(self._desk.objects.place, reference, payload)
            self._placed.add(reference)
        except Unpicklable as error:
            refused = [str(error), error.hint]
        link.send(refused)

    def give(self, link: Link, message: List[Any], payload: memoryview) -> None:
        path, name, mime = message
        try:
            file = self._alarm.interrupts(self._desk.exchange.give_file, path or payload, name, mime)
        except OSError as error:
            link.send(["", error.errno or 0, error.strerror or str(error)])
        else:
            link.send([file, 0, ""])

    def want(self, link: Link, message: List[Any], _payload: memoryview) -> None:
        try:
            answer = [self._alarm.interrupts(self._desk.exchange.fetch_file, message[0]), ""]
        except NotToBeHad as error:
            answer = ["", str(error)]
        link.send(answer)

    def progress(self, _link: Link, message: List[Any], _payload: memoryview) -> None:
        if self._teller is not None:
            try:
                self._teller(message[0], message[1])
            except RunnerGone:
                pass  # nobody watches

    def forget(self, *, but: List[str]) -> None:
        """Drop the objects that came, but for those that stand in the result."""
        for reference in self._placed.difference(but):
            self._desk.objects.drop(reference)

    @property
    def _desk(self) -> Desk:
        if self._asked_desk is None:
            raise LinkBroken
        return self._asked_desk
