"""Nodes that name a saved definition instead of holding code: they are judged by what was saved."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from qflow_runner.errors import Unavailable
from qflow_runner.workflows.graph import Node

SavedName = tuple[str, int | None]
"""A name and a version of it; None: the latest."""

Resolve = Callable[[Collection[SavedName]], Awaitable[Mapping[SavedName, Mapping[str, Any]]]]
"""Finds what was saved: the JSON of each definition request, and nothing for a name that there is not."""


async def follow(nodes: Iterable[Node], resolve: Resolve | None) -> tuple[list[Node], dict[str, str]]:
    """The nodes with the saved code in place of a name, and by node why a name leads nowhere (then without code)."""
    nodes = list(nodes)
    named = {node.name: named_by(node) for node in nodes if node.parameters.get("source") == "saved"}
    wanted = {each for each in named.values() if not isinstance(each, str)}
    found: Mapping[SavedName, Mapping[str, Any]] = {}
    away = "" if resolve else "uses a saved definition, which is not looked up here"
    if wanted and resolve is not None:
        try:
            found = await resolve(wanted)
        except Unavailable as error:
            away = f"uses a saved definition, which could not be read: {error.detail.rstrip('.')}"
    followed: list[Node] = []
    missing: dict[str, str] = {}
    for node in nodes:
        name = named.get(node.name)
        content = found.get(name) if isinstance(name, tuple) else None
        if name is not None and content is None:
            missing[node.name] = name if isinstance(name, str) else away or _unknown(name)
        followed.append(node if name is None else _with(node, content or {}))
    return followed, missing


def named_by(node: Node) -> SavedName | str:
    """The name, or why it cannot be known before a run. n8n keeps a name from a list as {"mode", "value"}."""
    chosen = node.parameters.get("savedName")
    name = chosen.get("value") if isinstance(chosen, dict) else chosen
    version = node.parameters.get("savedVersion")
    if not isinstance(name, str) or not name.strip():
        return "names no saved definition"
    if name.startswith("=") or (isinstance(version, str) and version.startswith("=")):
        return "names its saved definition by an expression"
    if version is None or str(version) in {"", "latest", "0"}:
        return name.strip(), None
    number = str(version)
    if number.isdecimal() and len(number) < 10 and int(number) > 0:
        return name.strip(), int(number)
    return f"names no version of its saved definition: {number:.40}"


def _unknown(name: SavedName) -> str:
    version = "" if name[1] is None else f" version {name[1]} of"
    return f"uses{version} the saved definition '{name[0]}', which is unknown"


def _with(node: Node, content: Mapping[str, Any]) -> Node:
    """The node as if it held the saved code; what it sets itself goes before what was saved."""
    own, options = node.parameters, node.parameters.get("options")
    saved = {name: content[name] for name in ("function", "mode", "requirements") if content.get(name)}
    saved_options = {name: content[name] for name in ("python", "validation") if content.get(name)}
    parameters = {
        **saved,
        **_given(own),
        "code": content.get("code", ""),
        "options": saved_options | (_given(options) if isinstance(options, dict) else {}),
    }
    return node.model_copy(update={"parameters": parameters})


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None, [])}
