"""Whose turn it is in which lane, and what has to be in the store before a lane goes on.

A run in one lane must not wait for a session of another lane: that may wait for it in turn. So what a node leaves in its
session for a node in another lane is put in the store before its lane goes on. What cannot be put there draws the nodes
that take it into its own lane.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from qflow_runner.errors import WorkflowNotRunnable
from qflow_runner.workflows.lanes import lanes

Spread = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Has the values of references in the store; a sentence for each that cannot be there."""


class Turns:
    """`parents` has every node, each after its parents. Not `concurrent`: there is one lane."""

    def __init__(self, parents: Mapping[str, Sequence[str]], spread: Spread, *, concurrent: bool) -> None:
        self._parents = parents
        self._spread = spread
        self._lanes = lanes(list(parents), parents) if concurrent else dict.fromkeys(parents, 0)
        self._turns = {lane: asyncio.Lock() for lane in set(self._lanes.values())}
        self._kept: dict[str, list[str]] = {}
        """References of each node that left some in its session, until they are in the store too."""
        self._stuck: dict[str, str] = {}
        """By node: why what it left has to stay in its session."""
        self._children: dict[str, list[str]] = {name: [] for name in parents}
        for name, before in parents.items():
            for parent in before:
                self._children[parent].append(name)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncGenerator[int]:
        """Within, the node is the one that runs in its lane, which is given. Raises WorkflowNotRunnable, QflowError."""
        lane = await self._lane(name)
        async with self._turns[lane]:
            yield lane
            if any(self._lanes[child] != lane for child in self._children[name]):
                await self._put(name)

    def keeps(self, name: str, references: Sequence[str]) -> None:
        """A run of the node left these in its session."""
        if references:
            self._kept.setdefault(name, []).extend(references)

    async def _lane(self, name: str) -> int:
        parents = self._parents[name]
        while True:
            stuck = {self._lanes[each]: each for each in parents if each in self._stuck}
            if len(stuck) > 1:
                raise self._apart(name, *list(stuck.values())[:2])
            if stuck:
                (self._lanes[name],) = stuck
            lane = self._lanes[name]
            away = [each for each in parents if each in self._kept and self._lanes[each] != lane]
            if not away:
                return lane
            for each in away:
                async with self._turns[self._lanes[each]]:
                    await self._put(each)

    async def _put(self, name: str) -> None:
        """Its caller has the turn of the node's lane."""
        references = self._kept.pop(name, None)
        refused = await self._spread(references) if references else {}
        if refused:
            self._stuck[name] = next(iter(refused.values())).rstrip(".")

    def _apart(self, name: str, first: str, second: str) -> WorkflowNotRunnable:
        return WorkflowNotRunnable(
            f"'{name}' takes objects of '{first}' and of '{second}', which ran at the same time, in sessions of their "
            f"own. {self._stuck[first]}.",
            hint='Run the nodes one after another ("concurrent": false, or qflow run --serial).',
        )
