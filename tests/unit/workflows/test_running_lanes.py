"""Lanes: what may run at once, and what has to wait or to be stored before."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflow_runner.errors import WorkflowNotRunnable
from qflow_runner.workflows.lanes import lanes
from qflow_runner.workflows.turns import Turns

SQUARE = {"R": (), "S": (), "P": ("R", "S"), "Q": ("S", "R")}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    count = draw(st.integers(1, 12))
    return {
        str(n): sorted({str(p) for p in draw(st.lists(st.integers(0, n - 1), max_size=3))} if n else set())
        for n in range(count)
    }


@given(graphs())
def test_nodes_of_one_lane_depend_on_each_other(parents: dict[str, list[str]]) -> None:
    """With lanes enough, what depends on nothing of each other never shares one."""
    order = list(parents)
    found = lanes(order, parents, most=len(order))
    before: dict[str, set[str]] = {}
    for name in order:
        before[name] = set().union(*({p} | before[p] for p in parents[name]))
    for n, later in enumerate(order):
        for earlier in order[:n]:
            assert found[earlier] != found[later] or earlier in before[later]


def test_a_chain_stays_in_its_lane() -> None:
    """And a branch gets one of its own, which a later node takes up again."""
    parents = {"A": [], "B": ["A"], "C": ["B"], "D": ["A"], "E": ["C", "D"], "F": ["E"], "G": ["E"]}

    found = lanes(list(parents), parents)

    assert {found[name] for name in "ABCEF"} == {0}
    assert found["D"] == found["G"] == 1


def test_there_are_no_more_lanes_than_allowed() -> None:
    """The others wait for their turn."""
    parents: dict[str, list[str]] = {str(n): [] for n in range(100)}

    assert set(range(4)) == set(lanes(list(parents), parents, most=4).values())


class Store:
    def __init__(self, stuck: str = "") -> None:
        self.put: list[str] = []
        self.stuck = stuck

    async def spread(self, references: Sequence[str]) -> Mapping[str, str]:
        self.put += references
        return {each: f"{each} is a lock." for each in references if each in self.stuck}


async def run(turns: Turns, parents: Mapping[str, Sequence[str]], keeps: bool = True) -> dict[str, int]:
    ended = {name: asyncio.Event() for name in parents}
    found: dict[str, int] = {}

    async def node(name: str) -> None:
        for parent in parents[name]:
            await ended[parent].wait()
        async with turns.turn(name) as lane:
            found[name] = lane
            await asyncio.sleep(0)
            if keeps:
                turns.keeps(name, [name.lower()])
        ended[name].set()

    async with asyncio.timeout(5):
        await asyncio.gather(*map(node, parents))
    return found


async def test_what_another_lane_needs_is_stored_before_the_lane_goes_on() -> None:
    """So that two nodes that take of each other's lane never wait for each other."""
    store = Store()
    found = await run(Turns(SQUARE, store.spread, concurrent=True), SQUARE)

    assert found["P"] != found["Q"]
    assert ["r", "s"] == sorted(store.put)


async def test_in_one_lane_nothing_is_stored() -> None:
    """Neither of a chain nor where nodes run one after another."""
    store = Store()
    chain = {"A": (), "B": ("A",)}

    await run(Turns(chain, store.spread, concurrent=True), chain)
    found = await run(Turns(SQUARE, store.spread, concurrent=False), SQUARE)

    assert [] == store.put
    assert {0} == set(found.values())


async def test_what_cannot_be_stored_draws_its_takers_to_it() -> None:
    """They run one after another then, and it works."""
    parents = {"A": (), "B": ("A",), "C": ("A",), "D": ("C",)}
    found = await run(Turns(parents, Store("a").spread, concurrent=True), parents)

    assert found["A"] == found["B"] == found["C"]


async def test_two_that_cannot_be_stored_never_meet() -> None:
    """Which is said at once, with what helps."""
    with pytest.raises(WorkflowNotRunnable) as caught:
        await run(Turns(SQUARE, Store("rs").spread, concurrent=True), SQUARE)
    assert "is a lock" in caught.value.detail
    assert "--serial" in str(caught.value.hint)
