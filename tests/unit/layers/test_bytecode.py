"""Byte code that is used again: only where all files are that went into the compiler, and only unchanged."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qflow_runner import errors
from qflow_runner.layers import Layers, bytecode, compile_here, tree
from qflow_runner.layers.bytecode import Bytecode
from tests.unit.layers.conftest import Make
from tests.unit.layers.wheels import Index

HERE = "{}.{}".format(*sys.version_info[:2])
TAG = sys.implementation.cache_tag


class Compiler:
    """Compiles, and remembers what it was given to compile each time."""

    def __init__(self) -> None:
        self.given: list[set[str]] = []
        self.fails = False

    async def __call__(self, python: str, directory: Path, listed: Path) -> None:
        self.given.append(set(listed.read_text().split("\0")))  # noqa: ASYNC240 - nothing else runs
        await compile_here(python, directory, listed)
        if self.fails:
            raise errors.SandboxError("It ended in the middle.")


async def build(layers: Layers, *names: str) -> Path:
    return (await layers.layer(await layers.locks.lock(names, HERE))).path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "bytecode").glob("*"))


async def test_a_layer_with_more_packages_compiles_only_those(make: Make, index: Index) -> None:
    """The rest is there at once, works, and says where it is."""
    index.wheel("alpha", files={"alpha/__init__.py": "def where(): return where.__code__.co_filename"})
    index.wheel("beta")
    compiler = Compiler()
    layers = await make(compiler=compiler)
    await build(layers, "alpha")
    both = await build(layers, "alpha", "beta")
    program = (
        "import sys; sys.path.append(sys.argv[1]); import alpha, beta; print(alpha.where(), alpha.__cached__)"
    )
    done = run(sys.executable, "-I", "-B", "-c", program, str(both))

    assert [{"alpha/__init__.py"}, {"beta.py"}] == compiler.given
    cached = both / "alpha" / "__pycache__" / f"__init__.{TAG}.pyc"
    assert f"{both}/alpha/__init__.py {cached}\n" == done.stdout, done.stderr
    assert cached.is_file()
    assert (both / "__pycache__" / f"beta.{TAG}.pyc").is_file()


async def test_the_same_layer_again_needs_no_compiler(make: Make, index: Index, tmp_path: Path) -> None:
    """Of this runner, or of the next; and its files are those that its list has."""
    index.wheel("alpha")
    compiler = Compiler()
    layers = await make(compiler=compiler)
    first = (await build(layers, "alpha") / tree.MANIFEST).read_bytes().splitlines()
    for again in (layers, await make(compiler=compiler)):
        await again.remove(again.list()[0].id)
        second = (await build(again, "alpha") / tree.MANIFEST).read_bytes().splitlines()
        assert [row.split()[0] for row in first] == [row.split()[0] for row in second]
        assert await again._check(again._store._records[again.list()[0].id], whole=True)

    assert 1 == len(compiler.given)
    assert 1 == len(kept(tmp_path))


async def test_what_was_compiled_beside_other_files_is_not_used_without_them(
    make: Make, index: Index
) -> None:
    """A file that takes the compiler over could have written the byte code of all that was compiled with it."""
    index.wheel("alpha")
    index.wheel("evil")
    compiler = Compiler()
    layers = await make(compiler=compiler)
    await build(layers, "alpha", "evil")
    await build(layers, "alpha")

    assert [{"alpha.py", "evil.py"}, {"alpha.py"}] == compiler.given


async def test_code_that_changed_is_compiled(make: Make, index: Index) -> None:
    """Another version with a file of the same name; and another Python's is another's."""
    index.wheel("alpha", "1.0")
    index.wheel("alpha", "2.0")
    compiler = Compiler()
    layers = await make(compiler=compiler)
    await build(layers, "alpha==1.0")
    await build(layers, "alpha==2.0")
    await layers.layer(await layers.locks.lock(["alpha==1.0"], "3.9"))

    assert 3 == len(compiler.given)


async def test_what_was_changed_on_the_disk_is_not_used(make: Make, index: Index, tmp_path: Path) -> None:
    """And is gone then, so the next build keeps it anew."""
    index.wheel("alpha")
    compiler = Compiler()
    layers = await make(compiler=compiler)
    await build(layers, "alpha")
    (file,) = kept(tmp_path)
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    await layers.remove(layers.list()[0].id)
    await build(layers, "alpha")
    whole = file.read_bytes()
    file.write_bytes(b"not even a list")
    fresh = await make(compiler=compiler)
    await fresh.remove(fresh.list()[0].id)
    await build(fresh, "alpha")

    assert [{"alpha.py"}] * 3 == compiler.given
    assert whole == file.read_bytes()


async def test_a_compilation_that_failed_is_not_kept(make: Make, index: Index, tmp_path: Path) -> None:
    """Who knows what it did not come to."""
    index.wheel("alpha")
    compiler = Compiler()
    compiler.fails = True
    layers = await make(compiler=compiler)
    await build(layers, "alpha")

    assert [] == kept(tmp_path)


async def test_a_directory_that_cannot_be_written_costs_speed_only(
    make: Make, index: Index, tmp_path: Path
) -> None:
    """Where it should be is a file."""
    index.wheel("alpha")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "bytecode").write_text("")
    layers = await make()
    layer = await build(layers, "alpha")

    assert (layer / "__pycache__" / f"alpha.{TAG}.pyc").is_file()


async def test_byte_code_that_a_package_brings_stays_as_it_is(make: Make, index: Index) -> None:
    """It is one of its files."""
    own = f"alpha/__pycache__/__init__.cpython-{HERE.replace('.', '')}.pyc"
    index.wheel("alpha", files={"alpha/__init__.py": "", "alpha/inner.py": "", own: b"its own"})
    compiler = Compiler()
    layers = await make(compiler=compiler)
    layer = await build(layers, "alpha")

    assert b"its own" == (layer / own).read_bytes()
    assert [{"alpha/inner.py"}] == compiler.given


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest unused goes, and what a writer that was killed left; one too large is not kept at all."""
    monkeypatch.setattr(bytecode, "ENTRIES_MAX", 2)
    monkeypatch.setattr(bytecode, "ONE_MAX", 1_000)
    layer = tmp_path / "layer"
    (layer / "__pycache__").mkdir(parents=True)
    store = Bytecode(tmp_path / "kept")
    store.keep(HERE, {"first.py": "0"}, layer, [])
    assert not (tmp_path / "kept").exists()
    paths = [f"__pycache__/{name}.pyc" for name in ("a", "b", "c")]
    for number, path in enumerate(paths):
        (layer / path).write_bytes(path.encode())
        store.keep(HERE, {path: "0"}, layer, [path])
        for file in (tmp_path / "kept").iterdir():
            age = time.time() - 9_000 + number
            if file.stat().st_mtime > age + 100:
                os.utime(file, (age, age))
        if not number:
            relic = tmp_path / "kept" / f"{bytecode.NEW}relic"
            relic.touch()
            os.utime(relic, (0, 0))
    (layer / "large.pyc").write_bytes(bytes(2_000))
    store.keep(HERE, {"large.py": "0"}, layer, ["large.pyc"])
    target = tmp_path / "target"
    (target / "__pycache__").mkdir(parents=True)
    reused = Bytecode(tmp_path / "kept").place(HERE, dict.fromkeys([*paths, "large.py"], "0"), target)

    assert set(paths[1:]) == reused.compiled == reused.sources
    assert 2 == len(list((tmp_path / "kept").iterdir()))
    assert b"__pycache__/b.pyc" == (target / paths[1]).read_bytes()
    assert not (target / paths[0]).exists()
