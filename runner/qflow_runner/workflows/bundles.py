"""n8n items on their way between nodes: the JSON text of a list, parsed only where somebody has to look into them."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, cast

from qflow_runner.errors import SandboxError

Item = dict[str, Any]

BESIDE = 256 * 1024
"""Bytes from which on a text is parsed and written beside the event loop."""


class Items:
    """`text` is a list in JSON; `count` is what its maker says of its length, None where nobody did."""

    def __init__(self, text: bytes, count: int | None = None) -> None:
        self.text = text
        self.count = count

    @classmethod
    async def of(cls, items: Sequence[Item]) -> "Items":
        write = _write if len(items) < 1_000 else None
        return cls(write(items) if write else await asyncio.to_thread(_write, items), len(items))

    @classmethod
    def joined(cls, parts: Iterable["Items"]) -> "Items":
        """Those of the first, then those of the second, and so on."""
        full = [each for each in parts if not each.empty]
        if len(full) == 1:
            return full[0]
        counts = [each.count for each in full]
        total = None if None in counts else sum(cast("list[int]", counts))
        return cls(b"[" + b",".join(each.text[1:-1] for each in full) + b"]", total)

    @property
    def empty(self) -> bool:
        return self.text == b"[]"

    async def parsed(self) -> list[Item]:
        """Raises SandboxError where a session answered with something else than items."""
        if len(self.text) < BESIDE:
            return _read(self.text)
        return await asyncio.to_thread(_read, self.text)


NONE = Items(b"[]", 0)
ONE_EMPTY = Items(b'[{"json":{}}]', 1)


def too_deep() -> SandboxError:
    return SandboxError("The items are nested more deeply than the runner can write.", hint="Flatten them.")


def _write(items: Sequence[Item]) -> bytes:
    # ASCII, because a text may hold half of a pair of surrogates, which no encoding has.
    try:
        return json.dumps(items, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise too_deep() from None


def _read(text: bytes) -> list[Item]:
    try:
        items = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise SandboxError("The session answered with something that is not a list of items.")
    for each in items:
        # One that failed may have none.
        if not isinstance(each.setdefault("json", {}), dict):
            raise SandboxError("The session answered with an item that is none.")
    return items


def _constant(name: str) -> NoReturn:
    raise ValueError(name)
