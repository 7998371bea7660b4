"""Shares the items of one run out to forked processes, and puts together what comes back, in the items' order."""

import gc
import os
import select
import signal
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NoReturn, Union

from qflow_agent import forks, kernel
from qflow_agent.dealing import Dealer
from qflow_agent.errands import Alarm, Errands
from qflow_agent.failures import time_limit
from qflow_agent.gathering import Harvest, Parent
from qflow_agent.links import Link, LinkBroken, pair
from qflow_agent.places import Place, Table
from qflow_agent.problem import Problem, problem_from
from qflow_agent.worker import Hand, work

if TYPE_CHECKING:
    from qflow_agent.callee import FunctionRun
    from qflow_agent.script import ScriptRun

MOST = 64
TICK_S = 0.25
"""How often to look for workers that ended unnoticed, because something that they started holds their socket."""

GRACE_S = 0.2
"""How long, past the time limit, workers may take to tell where it met them."""

LAST_READS = 10_000
"""What a socket that is full of small records takes."""

FURTHER_S = 0.02
"""How long the others may take then, when one has told."""


class Worker:
    """What the session knows of one process."""

    def __init__(self, pid: int, index: int, place: Place, link: Link) -> None:
        self.pid = pid
        self.index = index
        self.place = place
        self.link = link
        self.chunk = range(0)
        self.began = 0.0
        self.waits = False
        """For items, after those of its chunk."""
        self.ended = False


def no_effect(callee: "Union[FunctionRun, ScriptRun]", *, script: bool) -> str:
    """Why items cannot be shared out, as a hint; empty where they can."""
    if script:
        reason = "this is a script, and no function"
    elif callee.at_once:
        reason = "the function takes all items in one call"
    elif callee.looped:
        reason = "the function is async"
    else:
        return ""
    return "Parallel processes had no effect: %s." % reason


class Crew:
    """The processes of one run."""

    def __init__(self, total: int, parent: Parent, job: Callable[[Hand], None]) -> None:
        """Each worker does `job`."""
        self._parent = parent
        self._job = job
        self._total = total
        self._harvest = Harvest(total, parent)
        self._workers: Dict[int, Worker] = {}
        self._poll = select.poll()
        self._failed: Dict[int, Problem] = {}
        self._deaths = 0
        """Of processes, one after the other, since something was made or failed."""
        self._missing = total
        self._over = False
        self.hints: List[str] = []

    @property
    def errors(self) -> int:
        """How many items the workers wrote errors for."""
        return self._harvest.errors

    @property
    def kept(self) -> List[str]:
        """References to the objects that came with the results."""
        return self._harvest.kept

    def run(self, wanted: int) -> bool:
        """Have all items made, by at most so many processes. False where there cannot be two.

        The items are in the parent's writer then, their output in its output, their objects on its desk. Raises
        Problem and TimeLimit; then no more than the output is left behind.
        """
        count = forks.allowed(wanted)
        if count < 2:
            self.hints.append(_too_few(wanted, 1))
            return False
        remaining = signal.getitimer(signal.ITIMER_REAL)[0]
        self._deadline = monotonic() + remaining if remaining else float("inf")
        self._alarm = Alarm()
        try:
            with forks.own_orphans():
                try:
                    return self._run(count, wanted)
                finally:
                    forks.end([worker.pid for worker in self._workers.values()])
                    for worker in self._workers.values():
                        worker.link.close()
        finally:
            self._alarm.close()
            self._harvest.show_output()

    def _run(self, count: int, wanted: int) -> bool:
        self._errands = Errands(self._parent.desk, self._alarm)
        self._dealer = Dealer(self._total, count)
        self._table = Table(count)
        self._kills = kernel.oom_kills()
        self._threads = forks.threads() > 1
        while len(self._workers) < count and self._fork(len(self._workers)):
            pass
        if len(self._workers) < wanted:
            self.hints.append(_too_few(wanted, max(len(self._workers), 1)))
        if not self._workers:
            return False
        try:
            while self._harvest.missing:
                self._turn()
            self._dismiss()
            self._harvest.put_together()
        finally:
            self._errands.forget(but=self.kept)
        return True

    def _fork(self, index: int) -> bool:
        ours, theirs = pair()
        place = self._table.place(index)
        place.clear()
        try:
            pid = forks.fork()
        except OSError:
            ours.close()
            theirs.close()
            return False
        if not pid:
            self._begin(place, ours, theirs)
        theirs.close()
        self._workers[ours.fileno()] = Worker(pid, index, place, ours)
        self._poll.register(ours, select.POLLIN)
        return True

    def _begin(self, place: Place, ours: Link, theirs: Link) -> NoReturn:
        """In a worker."""
        try:
            gc.freeze()  # a collection would write to, and so copy, all pages that are the session's too
            signal.signal(signal.SIGALRM, self._alarm.handler)
            if self._deadline != float("inf"):
                signal.setitimer(signal.ITIMER_REAL, max(self._deadline - monotonic(), 0.001))
            ours.close()
            for other in self._workers.values():
                other.link.close()
            if self._parent.desk is not None:
                self._parent.desk.exchange.leave()
            if self._parent.output is not None:
                self._parent.output.renew()
            work(Hand(theirs, place, self._parent.output), self._job)
        finally:
            os._exit(1)

    # what comes

    def _turn(self) -> None:
        """Wait for something to happen, and handle it. Raises Problem for what ends the run."""
        until = self._deadline - monotonic()
        if until <= 0:
            raise self._late()
        if not self._read(min(TICK_S, until)):
            for worker in list(self._workers.values()):
                if forks.is_dead(worker.pid):
                    self._bury(worker)
        if self._failed:
            self._read(0)  # the failure of a lower item may have come as well
            raise self._failed[min(self._failed)]
        if not self._workers and self._harvest.missing:
            raise Problem(
                "process_killed",
                "The parallel processes ended before their work was done, and no other can take their place.",
                hint="Lower the number of parallel processes.",
            )

    def _read(self, seconds: float) -> bool:
        """Handle what comes within that time, if anything does."""
        events = self._poll.poll(max(seconds, 0) * 1000)
        for descriptor, _ in events:
            worker = self._workers.get(descriptor)
            if worker is not None:
                try:
                    for message, payload in worker.link.ready():
                        self._handle(worker, message, payload)
                except LinkBroken:
                    self._gone(worker)
        return bool(events)

    def _bury(self, worker: Worker) -> None:
        """A worker ended, but its socket may not have: first its last words."""
        try:
            for message, payload in worker.link.ready(LAST_READS):
                self._handle(worker, message, payload)
        except LinkBroken:
            pass
        self._gone(worker)

    def _handle(self, worker: Worker, message: List[Any], payload: memoryview) -> None:
        kind, rest = message[0], message[1:]
        if kind == "items":
            self._harvest.add(worker.chunk, payload)
        elif kind == "next":
            self._dealer.took(len(worker.chunk), monotonic() - worker.began if worker.chunk else 0)
            worker.waits = True
            self._deal(worker)
        elif kind == "failed":
            problem = problem_from(rest[0])
            number = self._total if problem.item is None else problem.item
            self._failed[number] = self._with_threads(problem)
            self._harvest.log(number, *rest[1:])
            worker.ended = True
        elif kind == "end":
            self._harvest.end(*rest)
            worker.ended = True
        else:
            _ERRANDS[kind](self._errands, worker.link, rest, payload)

    def _deal(self, worker: Worker) -> None:
        """Give it items, where there are any; else it waits, in case that another ends before its time."""
        chunk = self._dealer.take()
        if not chunk:
            return
        worker.waits, worker.chunk, worker.began = False, chunk, monotonic()
        try:
            worker.link.send([chunk.start, chunk.stop])
        except LinkBroken:
            return  # its end will be read, and what it has be given to others

    # ends

    def _gone(self, worker: Worker) -> None:
        """A worker is no more, or of no more use: what it had begun fails, the rest is for others."""
        self._poll.unregister(worker.link)
        del self._workers[worker.link.fileno()]
        worker.link.close()
        (status,) = forks.end([worker.pid])
        if worker.ended or self._over:
            return
        try:
            self._harvest.add(worker.chunk, worker.place.used)
        except LinkBroken:
            pass  # the code wrote there itself
        unmade = self._harvest.unmade(worker.chunk)
        begun = [number for number in unmade if number <= worker.place.item]
        self._lose(begun, status)
        if unmade:
            self._dealer.give_back(range(unmade[0] + len(begun), worker.chunk.stop))
        self._deaths = self._deaths + 1 if self._missing == self._harvest.missing else 0
        self._missing = self._harvest.missing
        if self._missing and not self._failed and self._deaths <= MOST:
            self._fork(worker.index)
        for other in self._workers.values():
            if other.waits:
                self._deal(other)

    def _lose(self, begun: List[int], status: int) -> None:
        """What a process had begun when it ended."""
        kills = kernel.oom_kills()
        death = forks.Death(status, kills != self._kills)
        self._kills = kills
        for number in begun:
            try:
                self._parent.fail(death.problem(number), number)
            except Problem as problem:
                self._failed[number] = problem
                return
            self._harvest.lost(number)

    def _dismiss(self) -> None:
        """Let the workers go, with their last words."""
        for worker in self._workers.values():
            try:
                worker.link.send([0, 0])
            except LinkBroken:
                worker.ended = True
        while not all(worker.ended for worker in self._workers.values()):
            self._turn()

    def _late(self) -> Problem:
        """The time limit passed: where it met the workers, as far as they can still tell."""
        self._over = True
        limit = monotonic() + GRACE_S
        while self._workers and monotonic() < limit:
            self._read(limit - monotonic())
            if self._failed:
                limit = min(limit, monotonic() + FURTHER_S)
        if self._failed:
            return self._failed[min(self._failed)]
        running = [worker.place.item for worker in self._workers.values() if not worker.waits]
        return self._with_threads(time_limit(min((at for at in running if at >= 0), default=None)))

    def _with_threads(self, problem: Problem) -> Problem:
        if self._threads and problem.code == "time_limit":
            problem.hint = (
                "%s Threads were running when the parallel processes were forked, and some packages, such as polars, "
                "wait for ever then: use them within the function only, or no parallel processes."
                % problem.hint
            )
        return problem


def _too_few(wanted: int, count: int) -> str:
    return "Instead of %d parallel processes there were %d: the sandbox has no room for more." % (
        wanted,
        count,
    )


_ERRANDS: Dict[str, Callable[[Errands, Link, List[Any], memoryview], None]] = {
    "value": Errands.value,
    "give": Errands.give,
    "want": Errands.want,
    "progress": Errands.progress,
}
