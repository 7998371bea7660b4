"""Which layer there is for requirements, without resolving or building anything."""

import pytest

from qflow_runner import errors
from qflow_runner.layers import Layers
from tests.unit.layers.conftest import Make
from tests.unit.layers.wheels import Index


async def test_only_what_is_built_is_found(layers: Layers, make: Make, index: Index) -> None:
    """Before the lock, before the layer, after it, and in the next process; the index is never asked."""
    index.wheel("alpha")
    before = layers.current(["alpha"], "3.12")
    asked = len(index.requests)
    lock = await layers.locks.lock(["alpha"], "3.12")
    locked = layers.current(["alpha"], "3.12")
    built = await layers.layer(lock)
    requests = len(index.requests)

    assert (None, None, 0) == (before, locked, asked)
    assert built == layers.current(["Alpha  # as it is written"], "3.12")
    assert built == (await make()).current(["alpha"], "3.12")
    assert requests == len(index.requests)
    assert layers.current(["alpha"], "3.11") is None
    assert layers.current(["alpha==1.0"], "3.12") is None
    assert layers.current([], "3.12") is None
    with pytest.raises(errors.RequirementRefused):
        layers.current(["-e ."], "3.12")


async def test_a_layer_for_more_will_do(layers: Layers, index: Index) -> None:
    """Nodes of a workflow share one; the own layer goes before it."""
    index.wheel("alpha")
    index.wheel("beta")
    both = await layers.layer(await layers.locks.lock(["alpha", "beta"], "3.12"))
    shared = layers.current(["alpha"], "3.12")
    own = await layers.layer(await layers.locks.lock(["alpha"], "3.12"))

    assert both == shared
    assert own == layers.current(["alpha"], "3.12")
    await layers.remove(own.id)
    assert both == layers.current(["alpha"], "3.12")
