"""Reads the `flatted` notation, in which n8n stores the data of an execution.

A document is a JSON list; entry 0 is the root. Inside an object or list every string is the index of the entry
it stands for, so that one value may be referred to from many places, and from itself.
"""

import json
from typing import Any


def parse(text: str) -> Any:
    """The value that `text` stands for; what it shares or cycles through is shared again."""
    entries: list[Any] = json.loads(text)
    done: dict[int, Any] = {}

    def value(member: Any) -> Any:
        return entry(int(member)) if isinstance(member, str) else member

    def entry(index: int) -> Any:
        if index in done:
            return done[index]
        raw = entries[index]
        if isinstance(raw, dict):
            # Remembered before it is filled: it may contain itself.
            mapping: dict[str, Any] = {}
            done[index] = mapping
            mapping.update({key: value(member) for key, member in raw.items()})
            return mapping
        if isinstance(raw, list):
            sequence: list[Any] = []
            done[index] = sequence
            sequence.extend(value(member) for member in raw)
            return sequence
        done[index] = raw
        return raw

    return entry(0)
