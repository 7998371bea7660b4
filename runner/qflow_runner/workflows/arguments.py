"""What a node maps to the parameters of its function, as the node itself makes it (its arguments.ts)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from qflow_runner.workflows.bundles import Item
from qflow_runner.workflows.expressions import MISSING, Path, is_expression, read
from qflow_runner.workflows.graph import Node

_TEXT_FIELDS = frozenset({"string", "options"})


class Unfollowed(Exception):
    """A parameter of a node holds what only n8n can evaluate. The message is a sentence without its end."""

    def __init__(self, node: Node, parameter: str, value: object) -> None:
        shown = str(value)
        shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
        super().__init__(
            f"'{node.name}' has an expression in '{parameter}' that only n8n can evaluate: {shown}"
        )


@dataclass(frozen=True)
class Arguments:
    """`constant` holds JSON text by parameter."""

    constant: Mapping[str, str]
    varying: Mapping[str, Path]

    def encoded(self, items: Sequence[Item] | None, *, once: bool) -> str:
        """JSON text of a list: no entry, one for all items, or one per item. `items` are needed for `varying` alone."""
        if not self.constant and not self.varying:
            return "[]"
        if not self.varying or items is None:
            return f"[{_entry(self.constant)}]"
        read_from = items[:1] if once else items
        return f"[{','.join(self._entry_of(each['json']) for each in read_from)}]"

    def _entry_of(self, fields: Any) -> str:
        found = {name: path.of(fields) for name, path in self.varying.items()}
        texts = {name: _dump(value) for name, value in found.items() if value is not MISSING}
        return _entry({**self.constant, **texts})


def read_arguments(node: Node) -> Arguments:
    """Raises Unfollowed."""
    constant: dict[str, str] = {}
    varying: dict[str, Path] = {}
    mapper = node.parameters.get("arguments")
    if not isinstance(mapper, dict) or node.parameters.get("mode") == "script":
        return Arguments(constant, varying)
    values = mapper.get("value")
    kinds = _kinds(mapper.get("schema"))
    for name, raw in values.items() if isinstance(values, dict) else ():
        # An empty field leaves the parameter to the item or to its default.
        if raw is None or raw == "":
            continue
        if not is_expression(raw):
            _refuse_within(node, name, raw)
            constant[name] = _field(raw, kinds.get(name))
            continue
        found = read(raw)
        if found is None:
            raise Unfollowed(node, name, raw)
        if isinstance(found, Path):
            varying[name] = found
        else:
            constant[name] = _field(found.value, kinds.get(name)) if found.text else _dump(found.value)
    return Arguments(constant, varying)


def _kinds(schema: object) -> dict[str, str]:
    fields = [each for each in schema if isinstance(each, dict)] if isinstance(schema, list) else []
    return {str(each.get("id")): str(each.get("type", "")) for each in fields}


def _field(value: object, kind: str | None) -> str:
    """Text is the text of a field for text, and JSON in any other where it can be, with all digits of a number."""
    if not isinstance(value, str) or kind in _TEXT_FIELDS:
        return _dump(value)
    text = value.strip()
    try:
        return _dump(value) if isinstance(json.loads(text, parse_constant=_not_json), str) else text
    except (ValueError, RecursionError):
        return _dump(value)


def _refuse_within(node: Node, name: str, raw: object) -> None:
    """An expression may stand inside a list or an object too."""
    pending = [raw]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif is_expression(value) and value is not raw:
            raise Unfollowed(node, name, value)


def _entry(texts: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in texts.items()) + "}"


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)
