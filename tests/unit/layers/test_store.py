"""Finished layers: unchanged, counted, and removed by age and size, never under a session."""

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
import structlog

from qflow_runner import errors
from qflow_runner.layers import Layer, Layers
from qflow_runner.layers import layers as facade
from tests.unit.layers.conftest import Make, until
from tests.unit.layers.wheels import Index

HERE = "{}.{}".format(*sys.version_info[:2])


async def built(layers: Layers, index: Index, name: str = "alpha", size: int = 0) -> Layer:
    index.wheel(name, files={f"{name}.py": "x = 1", f"{name}_data.bin": os.urandom(size)})
    layer = await layers.layer(await layers.locks.lock([name], HERE))
    # What follows a build, by itself.
    await layers._background.finish()
    return layer


def unused_for(layers: Layers, layer: Layer, seconds: float) -> None:
    """As if it was built and last used that long ago."""
    state = layer.path.parent / ".state" / layer.id
    os.utime(state, (time.time() - seconds,) * 2)
    store = layers._store
    record = store._records[layer.id]
    store._records[layer.id] = type(record)(**(vars(record) | {"built": time.time() - seconds}))


async def test_the_next_process_finds_the_layer(layers: Layers, make: Make, index: Index) -> None:
    """Nothing is downloaded or built again."""
    layer = await built(layers, index)
    asked = len(index.requests)
    fresh = await make(compiler=None)

    assert layer == fresh.known(layer.id)
    assert layer == await fresh.layer(await fresh.locks.lock(["alpha"], HERE))
    assert asked == len(index.requests)
    assert [layer.id] == [info.id for info in fresh.list()]


@pytest.mark.parametrize("how", ["content", "removed", "added", "manifest", "marker", "link", "quiet"])
async def test_a_changed_layer_is_built_anew(
    layers: Layers, make: Make, index: Index, tmp_path: Path, how: str
) -> None:
    """Before its first use in a process each file is compared by its hash, and the log says what was wrong."""
    layer = await built(layers, index)
    file = layer.path / "alpha.py"
    if how == "content":
        file.write_text("evil = 1")
    elif how == "quiet":
        before = file.stat()
        file.write_text("x = 2")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "removed":
        file.unlink()
    elif how == "added":
        (layer.path / "extra.py").write_text("")
    elif how == "manifest":
        (layer.path / ".qflow-files").write_text("")
    elif how == "marker":
        (layer.path / ".qflow.json").write_text("{")
    else:
        (tmp_path / "elsewhere.py").write_text("x = 1")
        file.unlink()
        file.symlink_to(tmp_path / "elsewhere.py")
    with structlog.testing.capture_logs() as logged:
        fresh = await make()
        again = await fresh.layer(await fresh.locks.lock(["alpha"], HERE))

    assert layer.id == again.id
    assert "x = 1" == file.read_text()
    assert not file.is_symlink()
    assert not (layer.path / "extra.py").exists()
    assert {"layer.changed", "layer.unreadable"} & {each["event"] for each in logged}


async def test_a_layer_that_changes_later_is_noticed(
    layers: Layers, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By sizes and times, beside the runs; one that is gone at once."""
    layer = await built(layers, index)
    lock = await layers.locks.lock(["alpha"], HERE)
    monkeypatch.setattr(facade, "RECHECK_S", -1.0)
    (layer.path / "alpha.py").write_text("evil = 1")
    await layers.layer(lock)
    await until(lambda: layers.known(layer.id) is None)
    await layers.layer(lock)

    assert "x = 1" == (layer.path / "alpha.py").read_text()
    await asyncio.to_thread(shutil.rmtree, layer.path)
    assert (await layers.layer(lock)).path.is_dir()


async def test_a_layer_that_is_there_costs_nothing(layers: Layers, index: Index) -> None:
    """Far under a millisecond, holding it included."""
    layer = await built(layers, index)
    lock = await layers.locks.lock(["alpha"], HERE)
    times = []
    for _ in range(100):
        began = time.perf_counter()
        with layers.hold((await layers.layer(lock)).id):
            times.append(time.perf_counter() - began)

    assert sorted(times)[50] < 0.001
    assert layers.known(layer.id)


async def test_a_held_layer_is_not_removed(layers: Layers, make: Make, index: Index) -> None:
    """Not by this process and not by another, until the last holder let go."""
    layer = await built(layers, index)
    other = await make()
    with layers.hold(layer.id):
        with layers.hold(layer.id):
            assert 2 == layers.list()[0].held
        for each in (layers, other):
            with pytest.raises(errors.LayerInUse):
                await each.remove(layer.id)
    await other.remove(layer.id)

    assert not layer.path.exists()
    with pytest.raises(errors.LayerUnknown), layers.hold(layer.id):
        pass
    assert layers.known(layer.id) is None
    for name in (layer.id, "nothing", "../data", ".state", ""):
        with pytest.raises(errors.LayerUnknown):
            await layers.remove(name)


async def test_a_process_that_died_holds_nothing(layers: Layers, index: Index) -> None:
    """The kernel lets go of its locks."""
    layer = await built(layers, index)
    state = layer.path.parent / ".state" / layer.id
    program = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH); print(1, flush=True); input()"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        str(state),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    await process.stdout.readline()

    with pytest.raises(errors.LayerInUse):
        await layers.remove(layer.id)
    process.kill()
    await process.wait()
    await layers.remove(layer.id)
    assert not layer.path.exists()


async def test_the_old_go_and_the_held_and_new_stay(make: Make, index: Index) -> None:
    """By age."""
    layers = await make(layers_max_age_days=1)
    old, held, new = [await built(layers, index, name) for name in ("old", "held", "new")]
    unused_for(layers, old, 100_000)
    unused_for(layers, held, 100_000)
    with layers.hold(held.id):
        assert [old.id] == await layers.evict()

    assert {held.id, new.id} == {info.id for info in layers.list()}
    assert not old.path.exists()


async def test_the_longest_unused_go_when_all_are_too_large(make: Make, index: Index) -> None:
    """By size, no more than needed; what was asked for a moment ago stays."""
    layers = await make(layers_max_mb=3)
    one, two, three, four = [
        await built(layers, index, name, 1_000_000) for name in ("one", "two", "three", "four")
    ]
    for layer, seconds in ((one, 900), (two, 1800), (three, 600)):
        unused_for(layers, layer, seconds)

    assert [two.id] == await layers.evict()
    assert [one.id, three.id, four.id] == [info.id for info in layers.list()]


async def test_the_event_loop_is_never_blocked(make: Make, index: Index) -> None:
    """Hashing, walking and removing are done in threads."""
    index.wheel("alpha", files={f"alpha/m{n}.py": f"x = {n}\n" * 50 for n in range(1_500)})
    layers = await make()
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            longest = max(longest, time.perf_counter() - began - 0.005)

    lock = await layers.locks.lock(["alpha"], HERE)
    beating = asyncio.create_task(beat())
    layer = await layers.layer(lock)
    fresh = await make()
    await fresh.layer(lock)
    await layers.remove(layer.id)
    beating.cancel()

    assert longest < 0.25
