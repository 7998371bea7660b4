"""Where the values behind references are: in a session, in the store of spilled values, or gone, and then why."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

from qflow_runner.files import Spill, SpilledValue
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sessions.held import Held, clock

MOST = 100_000
"""References that are remembered; the oldest are forgotten first."""

ANYWHERE = ""
"""The space of references that other workflows may use too; no workflow has this id."""

Key = tuple[str, str]
"""A space and a reference: what one workflow's code names is never looked for in another workflow's space."""


class ValueGone(Exception):
    """In a sentence: why there is no value."""


class Values:
    """`store` is where spilled values are."""

    def __init__(self, store: Spill) -> None:
        self.store = store
        self.elsewhere: Callable[[str, str], Awaitable[None]] | None = None
        """Has other workers of a cluster put a value of a workflow into the store, if one of them has it."""
        self._homes: OrderedDict[Key, Held] = OrderedDict()
        self._gone: OrderedDict[Key, str] = OrderedDict()

    def kept(self, held: Held, references: Iterable[str], *, anywhere: bool) -> None:
        """A run left these in its session."""
        space = ANYWHERE if anywhere else held.place.workflow
        before = len(held.kept)
        for reference in references:
            key = space, reference
            if key not in self._homes:
                held.kept[reference] = space
                self._homes[key] = held
        if len(held.kept) > before:
            held.note()
        while len(self._homes) > MOST:
            (_, reference), oldest = self._homes.popitem(last=False)
            oldest.kept.pop(reference, None)

    def returned(self, held: Held, kept: dict[str, str], spilled: Iterable[str]) -> None:
        """An earlier runner's session is at this place again, with what it kept then."""
        held.kept.update(kept)
        held.spilled.update(spilled)
        self._homes.update({(space, reference): held for reference, space in kept.items()})

    def changed(self, held: Held, references: Iterable[object]) -> None:
        """A run took these objects themselves: what the store has of them may be older than what the session has.

        What its own execution left in the store, when the session that made it ended, is at home in this one now.
        """
        for reference in references:
            if not isinstance(reference, str):
                continue
            held.spilled.discard(reference)
            key = held.place.workflow, reference
            if key not in self._homes and self.store.belongs(*key, held.place.execution):
                held.kept[reference] = held.place.workflow
                self._homes[key] = held
            held.note()

    async def fetch(self, workflow: str, reference: str, asking: GuestSession) -> SpilledValue:
        """The value, written to the store by the session that has it if it was not there yet. Raises ValueGone."""
        held = self._homes.get((workflow, reference)) or self._homes.get((ANYWHERE, reference))
        if held is not None and held.session is not asking and reference not in held.spilled:
            async with held.turn:
                refused = await held.spill(self.store, [reference])
            if reference in refused:
                raise ValueGone(f"It cannot leave the session that made it: {refused[reference]}.")
        value = await self._stored(workflow, reference)
        if value is None and held is None and self.elsewhere is not None:
            await self.elsewhere(workflow, reference)
            value = await self._stored(workflow, reference)
        if value is not None:
            return value
        raise ValueGone(self._why_gone(workflow, reference))

    async def _stored(self, workflow: str, reference: str) -> SpilledValue | None:
        for space in (workflow, ANYWHERE):
            value = await self.store.find(space, reference)
            if value is not None:
                return value
        return None

    async def spread(self, workflow: str, references: Iterable[str]) -> dict[str, str]:
        """Have these in the store too, so that sessions which run at the same time do not wait for their makers'.

        A sentence for each that cannot be there.
        """
        wanted: dict[Held, list[str]] = {}
        for reference in references:
            held = self._homes.get((workflow, reference)) or self._homes.get((ANYWHERE, reference))
            if held is not None:
                wanted.setdefault(held, []).append(reference)
        refused: dict[str, str] = {}
        for held, theirs in wanted.items():
            async with held.turn:
                refused |= await held.spill(self.store, theirs)
        return refused

    async def leave(self, held: Held, why: str) -> None:
        """Its session is about to end: what it keeps moves to the store. Its caller has the turn."""
        if not held.kept:
            return
        refused = await held.spill(self.store, list(held.kept))
        self._forget(held, why, refused)

    async def move(self, held: Held) -> None:
        """Out of its memory and into the store, while it lives on. Its caller has the turn."""
        await held.spill(self.store, list(held.kept), drop=True)

    def lost(self, held: Held, why: str) -> None:
        """Its session ended without a chance to save anything."""
        self._forget(held, why, dict.fromkeys(held.kept.keys() - held.spilled, why))

    def over(self, held: Held) -> None:
        """Its execution is over: what it keeps goes with its session, and `forget` sees to the store."""
        why = f"its execution was over at {clock()}"
        self._forget(held, why, dict.fromkeys(held.kept, why))

    async def forget(self, execution: str) -> None:
        """The execution is over: what its sessions left in the store is not needed any more."""
        await self.store.forget(execution, f"its execution was over at {clock()}")

    def _forget(self, held: Held, why: str, refused: dict[str, str]) -> None:
        for reference, space in held.kept.items():
            key = space, reference
            self._homes.pop(key, None)
            if reference in refused:
                sentence = (
                    refused[reference] if refused[reference] == why else f"{refused[reference]}, and {why}"
                )
                self._gone[key] = sentence
        held.kept.clear()
        while len(self._gone) > MOST:
            self._gone.popitem(last=False)

    def _why_gone(self, workflow: str, reference: str) -> str:
        for space in (workflow, ANYWHERE):
            known = self._gone.get((space, reference))
            if known is not None:
                return f"It is gone: {known}."
        return self.store.why_gone(workflow, reference) or (
            "This runner does not have it: it is of another workflow, was lost when the runner was stopped by force,"
            " or is older than what is kept."
        )
