"""One workflow execution's process: receives definitions and runs, calls the code, sends back what it returns."""

import gc
import json
import linecache
import os
import signal
import sys
import time
from typing import Dict

from qflow_agent import __version__, egress_proxy, kernel, limit_failures, usage, wire
from qflow_agent.call import Outcome, call
from qflow_agent.channel import Channel
from qflow_agent.definition import Loaded, load
from qflow_agent.exchange import Exchange, NotToBeHad, RunnerGone
from qflow_agent.exercises import exercised
from qflow_agent.failures import time_limit
from qflow_agent.masking import masked
from qflow_agent.output import Output
from qflow_agent.pickling import Unpicklable
from qflow_agent.problem import Problem, TimeLimit
from qflow_agent.references import Desk, Objects

SPILL_SECONDS = 20
"""For one value: its class may have code of its own for that."""

EXERCISE_SECONDS = 1.0

WARM = wire.Define("warm", "def warm(item: dict) -> dict:\n    return item\n", "", "auto", "auto", "strict")


def serve(path: str, token: str, home: str, *, spare: bool) -> None:
    """Dial in and answer runs until the runner closes the connection."""
    os.environ.update(HOME=home, TMPDIR=home)
    os.chdir(home)
    limit_failures.begin()
    channel = Channel(path)
    session = _Session(Exchange(channel), Output(home))
    signal.signal(signal.SIGALRM, _raise_time_limit)
    gc.enable()
    if spare:
        warm()
        _exercise()
    hello = wire.Hello("session", token, wire.PROTOCOL, "", __version__, os.getpid())
    channel.send(hello)
    try:
        _serve(channel, session, hello)
    except (RunnerGone, BrokenPipeError, ConnectionResetError):
        return  # nobody learns how this run ended, so nothing may be built on it


def _serve(channel: Channel, session: "_Session", hello: wire.Hello) -> None:
    heard = False
    while True:
        received = channel.receive()
        if received is None:
            # A session of which nothing was asked yet holds nothing.
            if not heard or not channel.dial_again(hello):
                return
            continue
        heard = True
        message, payload = received
        if isinstance(message, wire.Define):
            session.define(message)
        elif isinstance(message, wire.Run):
            session.run(message, payload)
        elif isinstance(message, wire.Spill):
            session.spill(message)


def warm() -> None:
    """Run a definition of our own, so that a person's first run meets neither lazy set-up nor a fork's page faults."""
    loaded = load(WARM)
    desk = Desk(Objects(), Exchange(None), keep=False)
    call(loaded, bytearray(b'{"items":[{"json":{"n":1}}]}'), "", "stop", desk=desk)
    reference = json.dumps(desk.objects.keep(None))
    call(loaded, bytearray(b'{"items":[{"json":{"n":%s}}]}' % reference.encode()), "", "stop", desk=desk)
    sys.modules.pop(loaded.module.__name__, None)
    linecache.cache.pop(loaded.filename, None)


def _exercise() -> None:
    """As the environment did, so that it takes milliseconds; a package that does otherwise in a fork is left alone."""
    signal.setitimer(signal.ITIMER_REAL, EXERCISE_SECONDS)
    try:
        for _ in exercised():
            pass
    except TimeLimit:
        sys.stderr.write("Not used ahead: it took more than %g s\n" % EXERCISE_SECONDS)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Session:
    def __init__(self, exchange: Exchange, output: Output) -> None:
        self._exchange = exchange
        self._objects = Objects()
        self._output = output
        self._proxied = False
        self._limits = usage.Limits()
        self._defined: Dict[str, wire.Define] = {}
        self._loaded: Dict[str, Loaded] = {}

    def define(self, message: wire.Define) -> None:
        self._defined[message.definition] = message

    def run(self, message: wire.Run, payload: bytearray) -> None:
        mark = usage.mark()
        try:
            outcome = self._call(message, payload)
            self._hold_to_size(outcome, message.output_mb)
        except Problem as problem:
            document = masked(problem.document(), self._output.mask)
            logs, hints = self._output.take()
            shared = self._objects.lent()
            used = usage.since(mark, problem.items_in)
            self._exchange.send(wire.Failed(message.run, document, problem.timing, logs, hints, shared, used))
            return
        told = masked(outcome.hints, self._output.mask)
        logs, hints = self._output.take()
        done = wire.Done(
            message.run,
            outcome.items,
            outcome.errors,
            outcome.timing,
            logs,
            told + hints,
            outcome.kept,
            kernel.memory_share() if self._objects.ids() else 0.0,
            self._objects.lent(),
            usage.since(mark, outcome.items_in),
        )
        self._exchange.send(done, [outcome.payload])

    def _hold_to_size(self, outcome: Outcome, megabytes: int) -> None:
        size = len(outcome.payload)
        if not megabytes or size <= megabytes << 20:
            return
        for reference in outcome.kept:
            self._objects.drop(reference)
        raise Problem(
            "result_too_large",
            "The result is %.1f MB of JSON, the node's limit is %d MB." % (size / (1 << 20), megabytes),
            hint="Return less, return a file or a reference, or raise the node's limit of its result.",
        )

    def spill(self, message: wire.Spill) -> None:
        refused: Dict[str, str] = {}
        for reference in message.ids:
            signal.setitimer(signal.ITIMER_REAL, SPILL_SECONDS)
            try:
                packed = self._objects.export(reference)
            except (NotToBeHad, Unpicklable) as error:
                refused[reference] = str(error)
            except TimeLimit:
                refused[reference] = "It was not packed within %d seconds." % SPILL_SECONDS
            else:
                signal.setitimer(signal.ITIMER_REAL, 0)
                self._exchange.give_value(reference, packed)
                if message.drop:
                    del packed
                    self._objects.drop(reference)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        self._exchange.send(wire.Spilled(refused))

    def _call(self, message: wire.Run, payload: bytearray) -> Outcome:
        own = os.getpid()
        self._exchange.run = message.run
        if message.proxy and not self._proxied:
            self._proxied = True
            egress_proxy.use(message.proxy)
        _continue(message.traceparent)
        self._limits.apply(message)
        self._output.limit(message.log_kb * 1000)
        if message.live:
            self._output.show(self._printed)
        signal.setitimer(signal.ITIMER_REAL, message.time_limit_s)
        try:
            began = time.perf_counter()
            loaded = self._loaded.get(message.definition)
            if loaded is None:
                loaded = load(self._defined[message.definition], message.node)
                self._loaded[message.definition] = loaded
            load_ms = (time.perf_counter() - began) * 1000
            outcome = call(
                loaded,
                payload,
                message.node,
                message.on_error,
                workflow=message.workflow,
                execution=message.execution,
                desk=Desk(self._objects, self._exchange, message.keep),
                output=self._output,
            )
            outcome.timing["load"] = load_ms
            return outcome
        except TimeLimit as error:
            # Raised outside the user's frames: while a large result was being encoded, say.
            raise time_limit() from error
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if os.getpid() != own:
                os._exit(
                    0
                )  # a process that the code forked, and that came back from the call: it has no say here

    def _printed(self, stream: str, text: str) -> bool:
        # The time limit must not come in the middle of a frame.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM,))
        try:
            return self._exchange.printed(stream, text)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _continue(traceparent: str) -> None:
    """Where libraries look for the trace that they are part of; what an earlier run left there goes."""
    if traceparent:
        os.environ["TRACEPARENT"] = traceparent
    else:
        os.environ.pop("TRACEPARENT", None)


def _raise_time_limit(_number: int, _frame: object) -> None:
    raise TimeLimit
