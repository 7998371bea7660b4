"""Runs a workflow's Qflow nodes in the order of their links: one after another, or those beside each other at once.

A node runs as it does in n8n: once for each link that brings items, and never for none. Where its failures do not go on
as items, all that depends on it is left out, and the others run.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qflow_runner.errors import BodyTooLarge, QflowError
from qflow_runner.workflows.bundles import Items, too_deep
from qflow_runner.workflows.calls import Call, Defined, Runner
from qflow_runner.workflows.requests import feeds_only_qflow, goes_on
from qflow_runner.workflows.results import NodeResult, failed_run, first_only, outputs_of
from qflow_runner.workflows.steps import Plan, Step
from qflow_runner.workflows.turns import Turns


@dataclass
class Outcome:
    """Of any step: by run and output. `failed` names the node whose failure keeps it from running."""

    runs: list[list[Items]] = field(default_factory=list[list[Items]])
    failed: str = ""


@dataclass
class WorkflowResult:
    nodes: dict[str, NodeResult]
    order: list[str]
    """Qflow nodes as they were begun."""
    ms: float
    hints: list[str]

    @property
    def ok(self) -> bool:
        return all(each.status != "error" for each in self.nodes.values())


class WorkflowRun:
    """`room`: bytes that the items of all nodes may have together. `secrets`: JSON text for nodes that use some."""

    def __init__(
        self, plan: Plan, runner: Runner, *, concurrent: bool, room: int, secrets: Mapping[str, str]
    ) -> None:
        self._plan = plan
        self._runner = runner
        self._concurrent = concurrent
        self._room = room
        self._secrets = secrets
        self._defined: dict[str, Defined | QflowError] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._ended = {name: asyncio.Event() for name in plan.steps}
        self._results = {name: NodeResult() for name in plan.jobs}
        self._order: list[str] = []
        self._turns = Turns(plan.parents, runner.spread, concurrent=False)

    async def run(self) -> WorkflowResult:
        """Cancelling it cancels what runs. A failing node is no failure of this."""
        began = time.perf_counter()
        hints: list[str] = []
        await self._define()
        concurrent = self._concurrent
        if concurrent and any(isinstance(each, Defined) and each.shared for each in self._defined.values()):
            concurrent = False
            hints.append(
                "The nodes ran one after another, because one of them takes objects themselves and not copies: "
                "what it changes is seen in one session alone."
            )
        self._turns = Turns(self._plan.parents, self._runner.spread, concurrent=concurrent)
        if concurrent:
            async with asyncio.TaskGroup() as group:
                for step in self._plan.steps.values():
                    group.create_task(self._step(step))
        else:
            for step in self._plan.steps.values():
                await self._step(step)
        return WorkflowResult(
            self._results, self._order, round((time.perf_counter() - began) * 1000, 3), hints
        )

    async def _define(self) -> None:
        known: dict[str, Defined | QflowError] = {}
        for name in self._plan.jobs:
            job = self._plan.steps[name].job
            assert job is not None  # noqa: S101 - a plan has one for each of its jobs
            key = repr(sorted(job.definition.items()))
            if key not in known:
                try:
                    known[key] = await self._runner.define(job.definition)
                except QflowError as error:
                    known[key] = error
            self._defined[name] = known[key]

    async def _step(self, step: Step) -> None:
        for feed in step.feeds:
            await self._ended[feed.source].wait()
        name = step.node.name
        failed = next((f for feed in step.feeds if (f := self._outcomes[feed.source].failed)), "")
        if failed:
            self._outcomes[name] = Outcome(failed=failed)
            self._skip(name, f"'{failed}' failed, and this node depends on it.")
        elif step.kind == "run":
            self._outcomes[name] = await self._node(step)
        elif step.kind == "give":
            self._outcomes[name] = Outcome([[await Items.of(step.given or ())]])
        elif step.kind == "append":
            self._outcomes[name] = Outcome([[each] for each in self._appended(step)])
        else:
            self._outcomes[name] = Outcome([[each] for each in self._arriving(step)])
        self._ended[name].set()

    def _skip(self, name: str, reason: str) -> None:
        result = self._results.get(name)
        if result is not None:
            result.status, result.reason = "skipped", reason
            self._runner.skipped(name)

    def _arriving(self, step: Step) -> list[Items]:
        """What each link brings in each run of its source. A node of n8n runs once for each, and never for nothing."""
        return [
            run[feed.output]
            for feed in step.feeds
            for run in self._outcomes[feed.source].runs
            if feed.output < len(run) and not run[feed.output].empty
        ]

    def _appended(self, step: Step) -> list[Items]:
        """Of all inputs what arrived first, then of all what arrived second, and so on."""
        by_input: dict[int, list[Items]] = {}
        for feed in step.feeds:
            arrived = self._arriving(Step(step.node, "hand on", (feed,)))
            by_input.setdefault(feed.input, []).extend(arrived)
        most = max(map(len, by_input.values()), default=0)
        rounds = [[each[n] for each in by_input.values() if n < len(each)] for n in range(most)]
        return [Items.joined(parts) for parts in rounds]

    async def _node(self, step: Step) -> Outcome:
        name = step.node.name
        arriving = self._arriving(step)
        if step.given is not None:
            arriving = [await Items.of(step.given)] if step.given else []
        if not arriving:
            self._skip(name, "No items reached it.")
            return Outcome()
        result = self._results[name]
        defined = self._defined[name]
        try:
            if isinstance(defined, QflowError):
                raise defined
            async with self._turns.turn(name) as lane:
                self._order.append(name)
                began = time.perf_counter()
                try:
                    for items in arriving:
                        result.outputs.append(await self._run(step, defined, lane, items))
                finally:
                    result.ms = round((time.perf_counter() - began) * 1000, 3)
        except QflowError as error:
            # Nodes with one definition share the error of it.
            result.status, result.problem = "error", {**error.document(), "node": name}
            self._told(error, result)
            return Outcome(failed=name)
        return Outcome(result.outputs)

    async def _run(self, step: Step, defined: Defined, lane: int, arrived: Items) -> list[Items]:
        """The outputs of one run. Raises QflowError where the node stops at failures."""
        node, job, result = step.node, step.job, self._results[step.node.name]
        assert job is not None  # noqa: S101 - a plan has one for each of its jobs
        taken = await first_only(node, arrived)
        on = goes_on(node)
        call = Call(
            node=node.name,
            definition=job.definition,
            id=defined.id,
            on_error="continue" if on else "stop",
            keep=job.definition.get("output", "auto") == "auto" and feeds_only_qflow(self._plan.graph, node),
            lane=lane,
            room=self._room,
        )
        problem: Mapping[str, Any] | None = None
        try:
            ran = await self._runner.call(call, await self._body(step, defined, taken))
            self._take_room(ran.items)
            self._turns.keeps(node.name, ran.kept)
        except QflowError as error:
            problem = {**error.document(), "node": node.name}
            if not on:
                raise
            # What a session says of their number is for people alone.
            ran = failed_run(node, len(await taken.parsed()), problem)
            result.problem = problem
            self._told(error, result)
        result.add(ran)
        return await outputs_of(node, ran, taken, result.errors, problem)

    async def _body(self, step: Step, defined: Defined, taken: Items) -> bytes:
        """As the node encodes it: what Python needs of the items, the arguments, the secrets."""
        assert step.job is not None  # noqa: S101 - a plan has one for each of its jobs
        arguments, text, items = step.job.arguments, taken.text, None
        if defined.as_written:
            # A script hands an item's own members on: what belongs to the node before must not be among them.
            items = await taken.parsed()
            plain = [{key: each[key] for key in ("json", "binary") if key in each} for each in items]
            text = (await Items.of(plain)).text
        elif arguments.varying:
            items = await taken.parsed()
        try:
            listed = arguments.encoded(items, once=step.job.definition.get("mode") == "all")
        except RecursionError:
            raise too_deep() from None
        return b"".join(
            (
                b'{"items":',
                text,
                b"" if listed == "[]" else f',"args":{listed}'.encode("utf-8", "replace"),
                self._secrets.get(step.node.name, "").encode(),
                b"}",
            )
        )

    def _take_room(self, items: Items) -> None:
        self._room -= len(items.text)
        if self._room < 0:
            raise BodyTooLarge("The items of this workflow's nodes are together larger than a run may have.")

    @staticmethod
    def _told(error: QflowError, result: NodeResult) -> None:
        """A problem has its logs and hints among its members; a result has them beside it."""
        result.logs.extend(error.members.get("logs") or ())
        result.hints.extend(error.members.get("hints") or ())
