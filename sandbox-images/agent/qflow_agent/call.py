"""One run: from the request body to the items that the function's results become."""

import gc
from time import perf_counter
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

from qflow_agent import codec
from qflow_agent.body import Body, Facts, Json, parse
from qflow_agent.callee import FunctionRun
from qflow_agent.definition import Loaded
from qflow_agent.failures import problem_of, time_limit
from qflow_agent.files import Outbox
from qflow_agent.keeping import Keeper
from qflow_agent.masking import mask_of, masked
from qflow_agent.problem import Problem, TimeLimit
from qflow_agent.references import Desk
from qflow_agent.results import ItemWriter
from qflow_agent.settling import finish, settle, value_of
from qflow_agent.supply import Supply
from qflow_agent.tracebacks import format_error

if TYPE_CHECKING:
    from qflow_agent.output import Output
    from qflow_agent.script import ScriptRun
    from qflow_agent.worker import Hand, HandingWriter


class Outcome(NamedTuple):
    payload: bytes
    """A JSON array of n8n items."""
    items: int
    errors: int
    timing: Dict[str, float]
    """Milliseconds: parse, bind, code, encode."""
    hints: List[str]
    kept: List[str]
    """References to the objects that the results left in the session."""
    items_in: int = 0


class _Task(NamedTuple):
    """What a run is about, in whichever process."""

    loaded: Loaded
    body: Body
    raw: codec.Buffer
    facts: Facts
    goes_on: bool


def call(
    loaded: Loaded,
    body: codec.Buffer,
    node_name: str,
    on_error: str,
    *,
    workflow: str = "",
    execution: str = "",
    desk: Optional[Desk] = None,
    output: "Optional[Output]" = None,
) -> Outcome:
    """Call the definition's function, or run its script, for the items of `body`.

    With `on_error` "continue", an item that fails becomes an item with an error; what stops the whole run, such
    as the time limit, is raised all the same. Raises Problem with any code of the table but those of `load`.

    With a desk, references among the items become their objects, and objects among the results references; what
    a failed run left is dropped. `output` is what captures the process's output, where something does.
    """
    started = perf_counter()
    if desk is not None and loaded.shares:
        desk = desk._replace(shared=True)
    collecting = gc.isenabled()
    gc.disable()  # every collection while parsing would walk what was parsed, and find no garbage
    try:
        parsed = parse(body, whole=loaded.script is not None, desk=desk)
    finally:
        if collecting:
            gc.enable()
    facts = Facts(workflow, execution, node_name)
    run = _Run(_Task(loaded, parsed, body, facts, on_error == "continue"), desk, output)
    run.timing["parse"] = (perf_counter() - started) * 1000
    try:
        return run.outcome()
    except BaseException as error:
        run.forget_all()
        # Of the code, or of the time limit, outside of the calls proper, where it is no Problem.
        problem = error if isinstance(error, Problem) else run.problem(error)
        problem.timing, problem.items_in = run.timing, len(parsed.jsons)
        if problem is error:
            raise
        raise problem from None


class _Run:
    def __init__(self, task: _Task, desk: Optional[Desk], output: "Optional[Output]") -> None:
        self._task = task
        self._loaded, self._body, self._raw, self._facts = task[:4]
        self._labels = {self._loaded.filename: self._facts.node or "code"}
        self._goes_on = task.goes_on
        self._desk = desk
        self._output = output
        self._mask = mask_of(self._body.secrets.values())
        if output is not None:
            output.mask = self._mask
        exchange = None if desk is None else desk.exchange
        outbox = Outbox(exchange)
        self._supply = Supply(
            self._facts,
            outbox,
            exchange=exchange,
            binaries=self._body.binaries,
            secrets=self._body.secrets,
            mask=self._mask,
        )
        self._keeper = None if desk is None else Keeper(desk, self._loaded.output, self._facts.node)
        self._writer = ItemWriter(self._keeper, outbox)
        self._hands: "Union[ItemWriter, HandingWriter]" = self._writer
        self._errors = 0
        self._originals: Optional[List[Json]] = None
        self._cancelled: Optional[Problem] = None
        self.timing = {"parse": 0.0, "bind": 0.0, "code": 0.0, "encode": 0.0}

    def outcome(self) -> Outcome:
        callee = self._callee()
        kept: List[str] = []
        if self._loaded.parallel < 2 or not self._shared_out(callee, kept):
            self._call_here(callee)
        code = self._writer.code_seconds * 1000
        self.timing["code"] += code
        self.timing["encode"] -= code
        hints = self._writer.hints() + callee.hints
        if self._keeper is not None:
            kept += self._keeper.kept()
            hints += self._keeper.hints()
        return Outcome(
            self._writer.payload(),
            self._writer.items,
            self._errors,
            self.timing,
            hints,
            kept,
            len(self._body.jsons),
        )

    def _call_here(self, callee: "Union[FunctionRun, ScriptRun]") -> None:
        calls = self._all(callee) if callee.at_once else self._each(callee, enumerate(callee.entries))
        if callee.looped:
            import asyncio

            asyncio.run(calls)
        else:
            finish(calls)

    def _shared_out(self, callee: "Union[FunctionRun, ScriptRun]", kept: List[str]) -> bool:
        """Whether other processes made the items."""
        from qflow_agent import parallel

        hint = parallel.no_effect(callee, script=self._loaded.script is not None)
        if hint:
            callee.hints.append(hint)
        total = len(callee.entries)
        if hint or total < 2:
            return False
        if self._body.shared:
            callee.hints.append(
                "Parallel processes have copies of the shared objects: what they change is seen by no other node."
            )
        parent = parallel.Parent(self._desk, self._keeper, self._writer, self._output, self._failed)
        crew = parallel.Crew(total, parent, self._work)
        started = perf_counter()
        shared = crew.run(min(self._loaded.parallel, total, parallel.MOST))
        self.timing["code"] += (perf_counter() - started) * 1000 if shared else 0
        self._errors += crew.errors
        callee.hints += crew.hints
        kept += crew.kept
        return shared

    def _work(self, hand: "Hand") -> None:
        """In a parallel process: make those items that are dealt to it. Raises Problem."""
        from qflow_agent.worker import desk_of

        run = _Run(self._task, desk_of(hand, self._desk), None)
        try:
            run._hands = hand.writer(run._writer, run._desk)
            callee = run._callee()
            finish(run._each(callee, hand.numbered(callee.entries)))
            hand.end(run._writer, run._keeper)
        except Problem:
            raise
        except BaseException as error:
            raise run.problem(error) from None

    def forget_all(self) -> None:
        if self._keeper is not None:
            self._keeper.forget_all()

    def _callee(self) -> "Union[FunctionRun, ScriptRun]":
        script = self._loaded.script
        if script is None:
            return FunctionRun(self._loaded, self._body, self._supply)
        from qflow_agent.script import ScriptRun

        return ScriptRun(script, self._loaded.mode, self._body, self._facts)

    def problem(self, error: BaseException) -> Problem:
        """For what went past the calls. A loop that was stopped while it waited left in `_cancelled` where that was."""
        if isinstance(error, TimeLimit) and self._cancelled is not None:
            return time_limit(self._cancelled.item, self._cancelled.traceback)
        return problem_of(error, self._labels)

    async def _all(self, callee: "Union[FunctionRun, ScriptRun]") -> None:
        started = perf_counter()
        bound = returned = 0.0
        try:
            args, kwargs = callee.for_all()
            bound = perf_counter()
            result = callee.function(*args, **kwargs)
            if type(result) not in callee.passing:
                element = callee.checked_element
                result = await value_of(result, element) if callee.looped else settle(result, element)
                result = callee.checked(result)
            returned = perf_counter()
            self._writer.write(result, None, callee.inputs())
        except Problem as problem:
            raise self._traced(problem) from None
        except BaseException as error:
            raise self._noted(error, None) from None
        finally:
            ended = perf_counter()
            bound = bound or ended
            returned = returned or ended
            self._count(bound - started, returned - bound, ended - returned)

    async def _each(
        self, callee: "Union[FunctionRun, ScriptRun]", numbered: "Iterable[Tuple[int, Any]]"
    ) -> None:
        """Call after call, in order, for these entries. Runs without an event loop where the function is not async."""
        function, write, as_is = callee.function, self._hands.write, callee.as_is
        looped, passing, element = callee.looped, callee.passing, callee.checked_element
        bind = code = encode = 0.0
        bound = returned = started = perf_counter()
        try:
            for number, entry in numbered:
                try:
                    if as_is:
                        bound = perf_counter()
                        result = function(entry)
                    else:
                        args, kwargs = callee.for_item(number, entry)
                        bound = perf_counter()
                        result = function(*args, **kwargs)
                    if type(result) not in passing:
                        result = await value_of(result, element) if looped else settle(result, element)
                        result = callee.checked(result)
                    returned = perf_counter()
                    write(result, number)
                except BaseException as error:
                    ended = perf_counter()
                    if bound < started:
                        bound = ended
                    bind += bound - started
                    code += ended - bound
                    started = bound = returned = ended
                    self._failed(error, number)
                ended = perf_counter()
                bind += bound - started
                code += returned - bound
                encode += ended - returned
                started = ended
        finally:
            self._count(bind, code, encode)

    def _count(self, bind: float, code: float, encode: float) -> None:
        self.timing["bind"] += bind * 1000
        self.timing["code"] += code * 1000
        self.timing["encode"] += encode * 1000

    def _failed(self, error: BaseException, number: int) -> None:
        problem = self._traced(error) if isinstance(error, Problem) else self._noted(error, number)
        if problem.item is None:
            problem.item = number
        if not self._goes_on or problem.code == "time_limit" or problem is self._cancelled:
            raise problem from None
        if self._originals is None:
            # The code may have changed its item before it failed: the body still has what came in.
            self._originals = parse(self._raw).jsons
        self._hands.write_error(self._originals[number], number, masked(problem.document(), self._mask))
        self._errors += 1

    def _noted(self, error: BaseException, number: Optional[int]) -> Problem:
        fields = self._body.jsons[number] if number is not None else None
        if type(fields) is not dict:
            fields = None  # an object that a reference stood for
        problem = problem_of(error, self._labels, number, fields)
        if type(error).__name__ == "CancelledError":
            self._cancelled = problem
        return problem

    def _traced(self, problem: Problem) -> Problem:
        """With the line of the code that met the problem, where it was met in one."""
        if problem.code == "script_variable" and problem.traceback is None:
            problem.traceback = format_error(problem, self._labels)
        return problem
