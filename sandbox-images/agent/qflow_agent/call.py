"""One run: from the request body to the items that the function's results become."""

import gc
import inspect
from time import perf_counter
from typing import Any, Coroutine, Dict, FrozenSet, List, NamedTuple, Optional

from qflow_agent import codec
from qflow_agent.binding import Binder
from qflow_agent.body import Body, Json, parse
from qflow_agent.definition import Loaded
from qflow_agent.failures import problem_of, time_limit
from qflow_agent.problem import Problem, TimeLimit
from qflow_agent.results import ItemWriter
from qflow_agent.signatures import signature_of


class Outcome(NamedTuple):
    payload: bytes
    """A JSON array of n8n items."""
    items: int
    errors: int
    timing: Dict[str, float]
    """Milliseconds: parse, bind, code, encode."""
    hints: List[str]


def call(loaded: Loaded, body: codec.Buffer, node_name: str, on_error: str) -> Outcome:
    """Call the definition's function for the items of `body`.

    With `on_error` "continue", an item that fails becomes an item with an error; what stops the whole run, such
    as the time limit, is raised all the same. Raises Problem with any code of the table but those of `load`.
    """
    started = perf_counter()
    collecting = gc.isenabled()
    gc.disable()  # every collection while parsing would walk what was parsed, and find no garbage
    try:
        parsed = parse(body)
    finally:
        if collecting:
            gc.enable()
    run = _Run(loaded, parsed, body, node_name, on_error == "continue")
    run.timing["parse"] = (perf_counter() - started) * 1000
    try:
        return run.outcome()
    except Problem:
        raise
    except BaseException as error:  # of the code, or of the time limit, outside of the calls proper
        raise run.problem(error) from None


class _Run:
    def __init__(self, loaded: Loaded, body: Body, raw: codec.Buffer, node_name: str, goes_on: bool) -> None:
        self._loaded = loaded
        self._jsons, self._args = body
        self._raw = raw
        self._labels = {loaded.filename: node_name or "code"}
        self._goes_on = goes_on
        self._writer = ItemWriter()
        self._errors = 0
        self._originals: Optional[List[Json]] = None
        self._cancelled: Optional[Problem] = None
        self.timing = {"parse": 0.0, "bind": 0.0, "code": 0.0, "encode": 0.0}

    def outcome(self) -> Outcome:
        function = self._loaded.function
        binder = self._binder(self._args[0] if self._args else {})
        mode = self._loaded.mode
        at_once = mode == "all" or (mode != "item" and binder.takes_many)
        looped = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        calls = self._all(binder, looped) if at_once else self._each(binder, looped)
        if looped:
            import asyncio

            asyncio.run(calls)
        else:
            _finish(calls)
        hints = self._writer.hints()
        if at_once and len(self._args) > 1 and any(entry != self._args[0] for entry in self._args):
            hints.append(
                "The mapped values differ between items; one call for all items gets those of the first."
            )
        code = self._writer.code_seconds * 1000
        self.timing["code"] += code
        self.timing["encode"] -= code
        return Outcome(self._writer.payload(), self._writer.items, self._errors, self.timing, hints)

    def problem(self, error: BaseException) -> Problem:
        """For what went past the calls. A loop that was stopped while it waited left in `_cancelled` where that was."""
        if isinstance(error, TimeLimit) and self._cancelled is not None:
            return time_limit(self._cancelled.item, self._cancelled.traceback)
        return problem_of(error, self._labels)

    async def _all(self, binder: Binder, looped: bool) -> None:
        started = perf_counter()
        jsons = self._jsons
        try:
            # The code may change its list, which must stay what the results are compared with.
            args, kwargs = binder.all(list(jsons), self._args[0] if self._args else {})
            bound = perf_counter()
            result = self._loaded.function(*args, **kwargs)
            result = await _value_of(result) if looped else _settle(result)
            returned = perf_counter()
            self._writer.write(result, None, jsons)
        except Problem:
            raise
        except BaseException as error:
            raise self._noted(error, None) from None
        self._count(bound - started, returned - bound, perf_counter() - returned)

    async def _each(self, binder: Binder, looped: bool) -> None:
        """Call after call, in order. Runs without an event loop where the function is not async."""
        function, write, shared = self._loaded.function, self._writer.write, len(self._args) < 2
        as_is = binder.takes_item_as_is
        bind = code = encode = 0.0
        bound = returned = started = perf_counter()
        for number, json in enumerate(self._jsons):
            try:
                if as_is:
                    bound = perf_counter()
                    result = function(json)
                else:
                    mapped = self._mapped(number)
                    args, kwargs = (binder if shared else self._binder(mapped)).one(json, mapped)
                    bound = perf_counter()
                    result = function(*args, **kwargs)
                if type(result) is not dict:
                    result = await _value_of(result) if looped else _settle(result)
                returned = perf_counter()
                write(result, number)
            except BaseException as error:
                self._failed(error, number)
                bound = returned = perf_counter()
            ended = perf_counter()
            bind += bound - started
            code += returned - bound
            encode += ended - returned
            started = ended
        self._count(bind, code, encode)

    def _count(self, bind: float, code: float, encode: float) -> None:
        self.timing["bind"] += bind * 1000
        self.timing["code"] += code * 1000
        self.timing["encode"] += encode * 1000

    def _failed(self, error: BaseException, number: int) -> None:
        problem = error if isinstance(error, Problem) else self._noted(error, number)
        if problem.item is None:
            problem.item = number
        if not self._goes_on or problem.code == "time_limit" or problem is self._cancelled:
            raise problem from None
        if self._originals is None:
            # The code may have changed its item before it failed: the body still has what came in.
            self._originals = parse(self._raw).jsons
        self._writer.write_error(self._originals[number], number, problem.document())
        self._errors += 1

    def _noted(self, error: BaseException, number: Optional[int]) -> Problem:
        fields = self._jsons[number] if number is not None else None
        problem = problem_of(error, self._labels, number, fields)
        if type(error).__name__ == "CancelledError":
            self._cancelled = problem
        return problem

    def _mapped(self, number: int) -> Json:
        if len(self._args) > 1:
            return self._args[number]
        if not self._args:
            return {}
        mapped = self._args[0]
        if len(self._jsons) > 1 and any(type(value) in (list, dict) for value in mapped.values()):
            import copy

            # One call's changes to a list must not be seen by the next.
            return copy.deepcopy(mapped)
        return mapped

    def _binder(self, mapped: Json) -> Binder:
        cache = self._loaded.cache
        names: FrozenSet[str] = frozenset(mapped)
        binder = cache.get(names)
        if binder is None:
            signature = cache.get("signature")
            if signature is None:
                lax = self._loaded.validation == "coerce"
                signature = signature_of(self._loaded.function, self._loaded.module.__dict__, lax)
                cache["signature"] = signature
            checked = self._loaded.validation != "off"
            binder = cache[names] = Binder(signature, names, self._loaded.name, checked=checked)
        return binder


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, without the cost of an event loop and without one running."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("waited without an event loop")


def _settle(result: Any) -> Any:
    """What a function that is not async returned; a coroutine among it is awaited in a loop of its own."""
    if hasattr(type(result), "__await__") or hasattr(type(result), "__aiter__"):
        import asyncio

        return asyncio.run(_value_of(result))
    return result


async def _value_of(result: Any) -> Any:
    if hasattr(type(result), "__await__"):
        result = await result
    if hasattr(type(result), "__aiter__"):
        return [element async for element in result]
    return result
