"""Which nodes may run beside each other: each lane is a row of nodes that run one after another in one session.

A node that follows another one alone goes on in its lane, so their objects stay where they are. What is in different
lanes depends on nothing of each other, as long as there are lanes enough.
"""

from collections.abc import Mapping, Sequence

MOST = 8
"""Sessions of one execution that run at once: a sandbox has one CPU or less, and memory for so many."""


def lanes(order: Sequence[str], parents: Mapping[str, Sequence[str]], most: int = MOST) -> dict[str, int]:
    """A lane for each node of `order`, which has parents before their children."""
    found: dict[str, int] = {}
    last: list[str] = []
    before: dict[str, int] = {}
    """Who comes before a node, as bits by their number."""
    numbers = {name: number for number, name in enumerate(order)}
    for name in order:
        mine = 0
        for parent in parents[name]:
            mine |= before[parent] | 1 << numbers[parent]
        before[name] = mine
        lane = next((found[each] for each in parents[name] if last[found[each]] == each), None)
        if lane is None:
            lane = next((each for each, tail in enumerate(last) if mine >> numbers[tail] & 1), None)
        if lane is None and len(last) < most:
            lane = len(last)
            last.append(name)
        if lane is None:
            lane = numbers[name] % most
        found[name] = lane
        last[lane] = name
    return found
