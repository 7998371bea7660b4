"""The objects that a session keeps for the nodes that follow, and the documents that stand for them in items."""

import re
import secrets
from types import GeneratorType
from typing import Any, Dict, List, NamedTuple, Optional, Set

from qflow_agent.codec import Buffer
from qflow_agent.copies import is_begun, is_read_once, own_copy
from qflow_agent.exchange import Exchange, NotToBeHad
from qflow_agent.glances import clipped, type_text
from qflow_agent.kernel import memory_share
from qflow_agent.pickling import pack, unpack
from qflow_agent.previews import preview

KEY = "$qflow"
LARGE = 1 << 20
MEMORY_SHORT = 0.5
"""Of the sandbox's memory."""

_ID = re.compile(r"[A-Za-z0-9_-]{24}")

Json = Dict[str, Any]


class Objects:
    """The objects of one session, by the ids of their references. An id cannot be guessed."""

    def __init__(self) -> None:
        self._values: Dict[str, Any] = {}
        self._read: Set[str] = set()
        self._own: Set[str] = set()
        """What was made here, also while the store alone has it."""
        self._lent: Set[str] = set()

    def keep(self, value: Any, node: str = "") -> Json:
        """Keep `value`, which the node of that name made, and give the document that stands for it."""
        reference = secrets.token_urlsafe(18)
        told: Json = {"ref": reference, **preview(value)}
        if node:
            told["node"] = clipped(node)
        self._values[reference] = value
        self._own.add(reference)
        return {KEY: told}

    def take(self, reference: str, *, shared: bool = False) -> Any:
        """The object, as a copy of the taker's own where it can be copied. Raises NotToBeHad.

        `shared`: itself, for whoever means to change it for all, or to read on where another stopped.
        """
        value = self._value(reference)
        if shared:
            self._read.add(reference)
            self._lent.add(reference)
            return value
        copied = own_copy(value)
        if copied is value and is_read_once(value):
            is_generator = isinstance(value, GeneratorType)
            if is_begun(value) if is_generator else reference in self._read:
                raise NotToBeHad(
                    "A node read this %s already, and it gives its elements only once."
                    % type_text(type(value))
                )
            self._read.add(reference)
        return copied

    def has(self, reference: str) -> bool:
        return reference in self._values

    def is_own(self, reference: str) -> bool:
        """Whether it was made in this session."""
        return reference in self._own

    def lent(self) -> List[str]:
        """What was handed over itself since the last call, and may have changed."""
        lent, self._lent = self._lent, set()
        return sorted(lent)

    def ids(self) -> List[str]:
        return list(self._values)

    def drop(self, reference: str) -> None:
        self._values.pop(reference, None)
        self._read.discard(reference)

    def export(self, reference: str) -> List[Buffer]:
        """The packed form of the object, for another session. Raises NotToBeHad, and Unpicklable with a sentence."""
        return pack(self._value(reference))

    def adopt(self, reference: str, packed: bytearray, *, shared: bool = False) -> Any:
        """Keep what another session exported, under the same reference, and take it. Raises Unpicklable, NotToBeHad.

        Something large is not kept where memory is short: the taker's is the only one then, and it can be asked for
        again. What is `shared` is kept all the same, because the next taker wants the very same one.
        """
        value = unpack(packed)
        if not shared and len(packed) >= LARGE and memory_share() > MEMORY_SHORT:
            return value
        self._values[reference] = value
        return self.take(reference, shared=shared)

    def place(self, reference: str, packed: Buffer) -> None:
        """Keep what was packed elsewhere, under the reference that it has there. Raises Unpicklable."""
        self._values[reference] = unpack(packed)
        self._own.add(reference)

    def _value(self, reference: str) -> Any:
        try:
            return self._values[reference]
        except KeyError:
            raise NotToBeHad("This session does not have it.") from None


class Desk(NamedTuple):
    """What a run has at hand for references."""

    objects: Objects
    exchange: Exchange
    keep: bool
    """Whether everything that follows can take references."""
    shared: bool = False
    """Whether the run takes the objects themselves, and not copies of its own."""


def told_of(value: Any, *, beside: bool = False) -> Optional[Json]:
    """What a reference document tells of its object; None for everything else, however similar.

    `beside`: other fields may stand beside the reference, as in an item to which a node of n8n's added some.
    """
    if type(value) is not dict or KEY not in value or (len(value) != 1 and not beside):
        return None
    told = value[KEY]
    if type(told) is not dict or type(told.get("type")) is not str:
        return None
    reference = told.get("ref")
    return told if type(reference) is str and _ID.fullmatch(reference) else None
