"""What became of a node, and how n8n would hand its items on: failed ones, none at all, two outputs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from qflow_runner.workflows.bundles import NONE, ONE_EMPTY, Item, Items
from qflow_runner.workflows.graph import Node
from qflow_runner.workflows.requests import setting

Status = Literal["ok", "error", "skipped"]
Problem = Mapping[str, Any]

SHOWN_ERRORS = 100
"""Failed items of a node whose problems are told."""


@dataclass(frozen=True)
class Ran:
    """The answer of one run of a definition. `kept`: references to what it left in its session."""

    items: Items
    errors: int = 0
    kept: Sequence[str] = ()
    timing: Mapping[str, float] = field(default_factory=dict[str, float])
    logs: Sequence[Mapping[str, str]] = ()
    hints: Sequence[str] = ()


@dataclass
class NodeResult:
    """Of one Qflow node. `outputs` are what its runs gave, by output; a node has a run for each link with items."""

    status: Status = "ok"
    reason: str = ""
    """Why it was skipped."""
    outputs: list[list[Items]] = field(default_factory=list[list[Items]])
    problem: Problem | None = None
    errors: list[Problem] = field(default_factory=list[Problem])
    ms: float = 0.0
    timing: dict[str, float] = field(default_factory=dict[str, float])
    logs: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    hints: list[str] = field(default_factory=list[str])

    def add(self, ran: Ran) -> None:
        """What a run tells beside its items."""
        for phase, ms in ran.timing.items():
            self.timing[phase] = round(self.timing.get(phase, 0.0) + ms, 3)
        self.logs.extend(ran.logs)
        self.hints.extend(hint for hint in ran.hints if hint not in self.hints)


async def outputs_of(
    node: Node, ran: Ran, taken: Items, errors: list[Problem], problem: Problem | None = None
) -> list[Items]:
    """By output. `taken` are the items that the node took; problems of single items are added to `errors`."""
    splits = node.on_error == "continueErrorOutput"
    if not ran.errors and not splits:
        return [_never_empty(node, ran.items)]
    good: list[Item] = []
    failed: list[Item] = []
    inputs = await taken.parsed()
    for index, item in enumerate(await ran.items.parsed()):
        told = item.get("error")
        if isinstance(told, dict):
            if problem is None and len(errors) < SHOWN_ERRORS:
                errors.append(told)
            made = _failed_item(node, item, told, index, inputs)
            (failed if splits else good).append(made)
        elif splits and _means_failure(item["json"]):
            source = _source(item.get("pairedItem"), inputs)
            failed.append({**item, "json": {**source, **item["json"]}})
        else:
            good.append(item)
    outputs = [_never_empty(node, await Items.of(good)) if good or not failed else NONE]
    return [*outputs, await Items.of(failed)] if splits else outputs


def failed_run(node: Node, count: int, problem: Problem) -> Ran:
    """What leaves a node whose whole run failed, where its failures are to go on. It took `count` items."""
    numbers = [None] if node.parameters.get("mode") == "all" else range(count)
    items = [{"error": {"detail": problem.get("detail", ""), "item": number}} for number in numbers]
    return Ran(Items(json.dumps(items).encode(), len(items)), errors=len(items))


async def first_only(node: Node, items: Items) -> Items:
    """n8n's setting "Execute Once": the first item alone."""
    if not setting(node, "executeOnce") or items.count == 1:
        return items
    return await Items.of((await items.parsed())[:1])


def _never_empty(node: Node, items: Items) -> Items:
    return ONE_EMPTY if items.empty and setting(node, "alwaysOutputData") else items


def _failed_item(node: Node, item: Item, told: Mapping[str, Any], index: int, inputs: Sequence[Item]) -> Item:
    """The input item's fields, and what went wrong in `error`."""
    number = item.get("pairedItem", told.get("item"))
    whole = number is None and "item" in told
    number = number if isinstance(number, int) else 0 if whole else index
    source = _source(number, inputs)
    # An item's own JSON is what its code made of it before it failed; the error output has what came in.
    fields = source if node.on_error == "continueErrorOutput" or not item["json"] else item["json"]
    fields = {} if whole and node.on_error != "continueErrorOutput" else fields
    made: Item = {"json": {**fields, "error": str(told.get("detail", ""))}}
    return made if whole else {**made, "pairedItem": number}


def _means_failure(fields: Mapping[str, Any]) -> bool:
    """n8n sends such an item to the error output, whoever made it."""
    return bool(fields.get("error")) and (
        len(fields) == 1 or (len(fields) == 2 and bool(fields.get("message")))
    )


def _source(number: object, inputs: Sequence[Item]) -> Mapping[str, Any]:
    if not isinstance(number, int) or not 0 <= number < len(inputs):
        return {}
    return inputs[number]["json"]
