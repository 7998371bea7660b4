"""From a lock to a layer: whole or not at all, once, within limits, and with nothing left of a failure."""

import asyncio
import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from qflow_runner import errors
from qflow_runner.layers import BuildProgress, Layers, build, compile_command, install
from qflow_runner.layers.compiling import write_list
from tests.unit.layers.conftest import Make, left, until
from tests.unit.layers.wheels import Index

HERE = "{}.{}".format(*sys.version_info[:2])


async def nothing(python: str, directory: Path, listed: Path) -> None:
    """A compile that does none."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def children() -> list[int]:
    """The uv processes that this process started and that still run."""
    own = [task / "children" for task in Path("/proc/self/task").iterdir()]
    every = [int(child) for file in own for child in file.read_text().split()]
    return [child for child in every if "uv" in Path(f"/proc/{child}/comm").read_text()]


def command_line(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


async def test_a_layer_can_be_imported_and_is_compiled(layers: Layers, index: Index) -> None:
    """A flat directory: packages, modules, namespaces; its list of modules is what can be imported."""
    index.wheel(
        "alpha",
        files={
            "alpha/__init__.py": "from alpha.inner import name",
            "alpha/inner.py": "name = 'it works'",
            "alpha/tests/test_inner.py": "",
            "single.py": "",
            "space/part/__init__.py": "",
            "speed.cpython-312-x86_64-linux-gnu.so": b"\x7fELF",
            "docs/readme.txt": "",
        },
    )
    layer = await layers.layer(await layers.locks.lock(["alpha"], HERE))
    program = "import sys; sys.path.append(sys.argv[1]); import alpha, space.part; print(alpha.name)"
    done = run(sys.executable, "-I", "-B", "-c", program, str(layer.path))

    assert "it works\n" == done.stdout
    assert ("alpha", "single", "space", "speed") == layer.modules
    assert 4 == len(list(layer.path.rglob("*.pyc")))
    assert not list(layer.path.glob("alpha/tests/**/*.pyc"))
    assert layer == layers.known(layer.id)


async def test_other_users_can_read_and_not_list(layers: Layers, index: Index) -> None:
    """A sandbox's user is another; what else there is on the machine is not for it."""
    index.wheel("alpha", files={"alpha/__init__.py": "", "alpha/data/table.csv": "1"})
    layer = await layers.layer(await layers.locks.lock(["alpha"], HERE))

    assert 0o711 == stat.S_IMODE(layer.path.parent.stat().st_mode)
    assert 0o755 == stat.S_IMODE(layer.path.stat().st_mode)
    for path in layer.path.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o444 == 0o444, path
        assert not mode & 0o022, path


async def test_scripts_do_not_name_this_machines_python(layers: Layers, index: Index) -> None:
    """They run with the sandbox's."""
    index.wheel(
        "alpha",
        files={
            "alpha.py": "def main(): ...",
            "alpha-1.0.dist-info/entry_points.txt": "[console_scripts]\nalpha = alpha:main\n",
        },
    )
    layer = await layers.layer(await layers.locks.lock(["alpha"], HERE))

    assert "#!/usr/bin/env python3" == (layer.path / "bin" / "alpha").read_text().splitlines()[0]


async def test_callers_at_once_share_one_build(make: Make, index: Index) -> None:
    """And one that is cancelled takes it from none of the others."""
    index.wheel("alpha")
    compiled: list[str] = []
    go = asyncio.Event()

    async def compiling(python: str, directory: Path, listed: Path) -> None:
        compiled.append(python)
        await go.wait()

    layers = await make(compiler=compiling)
    lock = await layers.locks.lock(["alpha"], HERE)
    first, second, third = (asyncio.create_task(layers.layer(lock)) for _ in range(3))
    await until(lambda: bool(compiled))
    first.cancel()
    go.set()

    assert (await second) == (await third) == layers.known((await third).id)
    assert first.cancelled() or await asyncio.wait({first})
    assert [HERE] == compiled


async def test_no_more_builds_at_once_than_allowed(make: Make, index: Index) -> None:
    """The others wait for their turn."""
    for name in ("alpha", "beta", "gamma"):
        index.wheel(name)
    running, most = 0, 0

    async def compiling(python: str, directory: Path, listed: Path) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    layers = await make(compiler=compiling, builds=1)
    locks = [await layers.locks.lock([name], HERE) for name in ("alpha", "beta", "gamma")]
    await asyncio.gather(*map(layers.layer, locks))

    assert 1 == most


async def test_progress_is_told_to_the_end(layers: Layers, index: Index) -> None:
    """Each phase once and in order; a resolution under its own key; nothing for what nobody began."""
    index.wheel("alpha")
    seen = [each async for each in layers.events("nothing")]
    key = layers.locks.key(["alpha"], HERE)
    lock = await layers.locks.lock(["alpha"], HERE)
    building = asyncio.create_task(layers.layer(lock))
    await asyncio.sleep(0)
    phases = [each.phase async for each in layers.events(lock.id)]
    await building
    order = ["verify", "download", "install", "compile", "verify", "done"]

    assert [] == seen
    assert "done" == getattr(layers.progress(key), "phase", "")
    assert order == [each for at, each in enumerate(order) if at == 0 or each in phases]
    assert "done" == phases[-1]


async def test_progress_names_what_is_downloaded(layers: Layers, index: Index) -> None:
    """With its version, and how many are there; of two at once, the one that is still on its way."""
    for name in ("alpha", "beta"):
        index.wheel(name, files={f"{name}.bin": os.urandom(2 << 20)})
    lock = await layers.locks.lock(["alpha", "beta"], HERE)
    told: list[BuildProgress] = []
    start = BuildProgress(lock.id, "download", bytes_total=10, packages_total=2)
    heard = install._hearing(lock, start, told.append)
    for line in (
        "Downloading alpha (2.0MiB)",
        "Downloading beta (2.0MiB)",
        " Downloaded beta",
        "Prepared 2 packages in 1ms",
    ):
        heard(line)
    seen: list[str] = []
    layers._board.tell = lambda progress: seen.append(progress.package)  # type: ignore[method-assign]
    await layers.layer(lock)

    assert [("alpha 1.0", 0), ("beta 1.0", 0), ("alpha 1.0", 1), ("", 2)] == [
        (each.package, each.packages_done) for each in told
    ]
    assert {"alpha 1.0", "beta 1.0"} <= set(seen), "uv says it in other words now"


async def test_a_layer_that_is_there_says_done_too(layers: Layers, make: Make, index: Index) -> None:
    """Whoever watches is not left waiting."""
    index.wheel("alpha")
    await layers.layer(await layers.locks.lock(["alpha"], HERE))
    fresh = await make()
    lock = await fresh.locks.lock(["alpha"], HERE)
    await fresh.layer(lock)

    assert ["done"] == [each.phase async for each in fresh.events(lock.id)]


async def test_a_failing_compiler_is_a_warning(make: Make, index: Index) -> None:
    """The packages work, only slower at first."""
    index.wheel("alpha")

    async def failing(python: str, directory: Path, listed: Path) -> None:
        raise errors.SandboxError("It would not start.")

    layers = await make(compiler=failing)
    layer = await layers.layer(await layers.locks.lock(["alpha"], HERE))
    (info,) = layers.list()

    assert layer.id == info.id
    assert "It would not start." in info.warnings[0]


async def test_a_compiler_may_add_byte_code_and_nothing_else(
    make: Make, index: Index, tmp_path: Path
) -> None:
    """It runs where strangers' files are read: what it leaves is not trusted."""
    index.wheel("alpha")
    (tmp_path / "secret").write_text("secret")

    def change(directory: Path, how: str) -> None:
        if how == "changed":
            (directory / "alpha.py").write_text("import os")
        elif how == "added":
            (directory / "beta.py").write_text("")
        elif how == "link":
            (directory / "__pycache__").mkdir()
            (directory / "__pycache__" / "alpha.cpython-312.pyc").symlink_to(tmp_path / "secret")
        elif how == "removed":
            (directory / "alpha.py").unlink()
        else:
            os.mkfifo(directory / "pipe")

    for how in ("changed", "added", "link", "removed", "pipe"):

        async def hostile(python: str, directory: Path, listed: Path, how: str = how) -> None:
            change(directory, how)

        layers = await make(compiler=hostile)
        with pytest.raises(errors.BuildFailed):
            await layers.layer(await layers.locks.lock(["alpha"], HERE))
        assert [] == left(tmp_path / "data" / "layers")


@pytest.mark.parametrize("name", ["qflow", "qflow_agent"])
@pytest.mark.parametrize(
    "form", ["{}.py", "{}/__init__.py", "{}/deep/x.py", "{}.cpython-312-x86_64-linux-gnu.so"]
)
async def test_a_package_cannot_take_the_agents_name(
    layers: Layers, index: Index, tmp_path: Path, name: str, form: str
) -> None:
    """Whatever its distribution is called."""
    index.wheel("harmless", files={form.format(name): ""})

    with pytest.raises(errors.ModuleReserved, match=name):
        await layers.layer(await layers.locks.lock(["harmless"], HERE))
    assert [] == left(tmp_path / "data" / "layers")


async def test_a_name_of_the_standard_library_is_noted(layers: Layers, index: Index) -> None:
    """Harmless, because Python's own is found first; of another Python it may be wanted."""
    index.wheel("harmless", files={"json/__init__.py": "", "distutils/__init__.py": ""})
    for python in ("3.11", "3.12"):
        await layers.layer(await layers.locks.lock(["harmless"], python))
    notes = {info.python: " ".join(info.warnings) for info in layers.list()}

    assert "distutils, json" in notes["3.11"]
    assert "json" in notes["3.12"]
    assert "distutils" not in notes["3.12"]


async def test_another_file_than_the_locked_one_is_refused(
    layers: Layers, index: Index, tmp_path: Path
) -> None:
    """The index says one hash and sends another."""
    index.wheel("liar")
    index.wrong_hash.add("liar-1.0-py3-none-any.whl")

    with pytest.raises(errors.HashMismatch, match=r"liar==1\.0"):
        await layers.layer(await layers.locks.lock(["liar"], HERE))
    assert [] == left(tmp_path / "data" / "layers")


async def test_a_broken_file_is_told(layers: Layers, index: Index, tmp_path: Path) -> None:
    """A wheel that is no archive."""
    wheel = index.wheel("alpha")
    lock_of = await layers.locks.lock(["alpha"], HERE)
    wheel.write_bytes(b"not a wheel")

    with pytest.raises(errors.DependencyError, match="alpha"):
        await layers.layer(lock_of)
    assert [] == left(tmp_path / "data" / "layers")


async def test_what_is_too_large_is_stopped(make: Make, index: Index, tmp_path: Path) -> None:
    """Before anything is downloaded where the sizes are known, else while it is unpacked."""
    index.wheel("bomb", files={f"bomb/part{n}.bin": bytes(600_000) for n in range(6)})
    index.wheel("single", files={"single.bin": bytes(5_000_000)})
    layers = await make(layer_max_mb=1)

    for name in ("bomb", "single"):
        with pytest.raises(errors.LayerTooLarge) as caught:
            await layers.layer(await layers.locks.lock([name], HERE))
        assert "QFLOW_LAYER_MAX_MB" in str(caught.value.hint)
    assert [] == left(tmp_path / "data" / "layers")


async def test_known_sizes_are_checked_before_the_download(make: Make, index: Index) -> None:
    """3 GB of packages against 2 GB."""
    index.wheel("alpha")
    layers = await make()
    lock = await layers.locks.lock(["alpha"], HERE)
    asked = len(index.requests)
    huge = type(lock)(
        lock.id,
        lock.python,
        lock.requirements,
        lock.text,
        (type(lock.packages[0])("alpha", "1.0", 3 << 30),),
    )

    with pytest.raises(errors.LayerTooLarge, match="3072 MB"):
        await layers.layer(huge)
    assert asked == len(index.requests)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount; the next test needs no root")
async def test_a_full_disk_is_a_clear_error(make: Make, index: Index, tmp_path: Path) -> None:
    """And the half that was written is gone again."""
    index.wheel("alpha", files={f"alpha/{n}.bin": os.urandom(300_000) for n in range(10)})
    small = tmp_path / "small"
    small.mkdir()
    run(*["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)])
    try:
        layers = await make(layers_dir=small)
        assert os.statvfs(small).f_blocks * os.statvfs(small).f_frsize == 1 << 20
        with pytest.raises(errors.LayerDiskFull) as caught:
            await layers.layer(await layers.locks.lock(["alpha"], HERE))
        assert 507 == caught.value.status
        assert [] == left(small)
    finally:
        run(*["umount", str(small)])


async def test_a_full_disk_at_the_end_is_one_too(
    make: Make, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the marker is what does not fit."""
    index.wheel("alpha")
    layers = await make()

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build.tree, "write", full)
    with pytest.raises(errors.LayerDiskFull):
        await layers.layer(await layers.locks.lock(["alpha"], HERE))
    assert [] == left(tmp_path / "data" / "layers")


async def test_a_killed_installer_leaves_nothing(make: Make, index: Index, tmp_path: Path) -> None:
    """The next call builds it."""
    index.wheel("alpha")
    layers = await make()
    lock = await layers.locks.lock(["alpha"], HERE)
    index.hang_files = True
    building = asyncio.create_task(layers.layer(lock))
    await index.reached.wait()
    (uv,) = children()
    os.kill(uv, signal.SIGKILL)

    with pytest.raises(errors.BuildKilled):
        await building
    assert [] == left(tmp_path / "data" / "layers")
    assert "failed" == getattr(layers.progress(lock.id), "phase", "")
    index.hang_files = False
    assert ("alpha",) == (await layers.layer(lock)).modules


async def test_a_build_ends_at_its_deadline_and_with_the_runner(
    make: Make, index: Index, tmp_path: Path
) -> None:
    """No process and no directory is left."""
    index.wheel("alpha")
    slow = await make(build_deadline_s=1.0)
    lock = await slow.locks.lock(["alpha"], HERE)
    index.hang_files = True
    with pytest.raises(errors.BuildTimeout):
        await slow.layer(lock)
    layers = await make()
    index.reached.clear()
    building = asyncio.create_task(layers.layer(lock))
    await index.reached.wait()
    await layers.close()

    with pytest.raises(errors.BuildKilled, match="runner stopped"):
        await building
    assert [] == children()
    assert [] == left(tmp_path / "data" / "layers")


async def test_errors_of_one_build_are_each_callers_own(make: Make, index: Index) -> None:
    """One adds his node to it; the other must not read that."""
    index.wheel("liar")
    index.wrong_hash.add("liar-1.0-py3-none-any.whl")
    layers = await make()
    lock = await layers.locks.lock(["liar"], HERE)
    one, two = await asyncio.gather(layers.layer(lock), layers.layer(lock), return_exceptions=True)

    assert isinstance(one, errors.HashMismatch)
    assert isinstance(two, errors.HashMismatch)
    one.members["node"] = "mine"
    assert "node" not in two.members


async def test_a_killed_runner_leaves_nothing_that_looks_finished(make: Make, tmp_path: Path) -> None:
    """What has no marker is no layer; what was begun is swept at the next start, unless it still runs."""
    directory = tmp_path / "data" / "layers"
    begun = directory / f".building-{'a' * 32}-123456" / "layer"
    begun.mkdir(parents=True)
    (begun / "alpha.py").write_text("")
    (directory / ("b" * 32)).mkdir()
    layers = await make()

    assert [] == layers.list()
    assert layers.known("b" * 32) is None
    assert ["b" * 32] == left(directory)


async def test_a_build_of_another_process_is_not_swept(make: Make, index: Index, tmp_path: Path) -> None:
    """`qflow layers build` beside a runner."""
    index.wheel("alpha")
    layers = await make()
    lock = await layers.locks.lock(["alpha"], HERE)
    index.hang_files = True
    building = asyncio.create_task(layers.layer(lock))
    await index.reached.wait()
    await make()
    index.hang_files = False

    assert 1 == len(left(tmp_path / "data" / "layers"))
    building.cancel()


async def test_a_cache_that_was_changed_is_not_used(make: Make, index: Index, tmp_path: Path) -> None:
    """uv's unpacked files are compared with what the wheel lists, and fetched anew."""
    index.wheel("alpha")
    layers = await make()
    lock = await layers.locks.lock(["alpha"], HERE)
    layer = await layers.layer(lock)
    await layers.remove(layer.id)
    poisoned = list((tmp_path / "cache" / "uv").rglob("alpha.py"))
    for path in poisoned:
        path.write_text("import os; os.system('evil')")
    again = await layers.layer(lock)

    assert poisoned
    assert "version = '1.0'\n" == (again.path / "alpha.py").read_text()
    assert () == layers.list()[0].warnings


async def test_two_packages_that_share_a_file_are_installed_once(layers: Layers, index: Index) -> None:
    """Only one of the two can be what its package lists, and that is no reason to fetch them anew."""
    index.wheel("one", files={"one.py": "", "shared/__init__.py": "1"})
    index.wheel("two", files={"two.py": "", "shared/__init__.py": "2"})
    lock = await layers.locks.lock(["one", "two"], HERE)
    asked = len(index.requests)
    layer = await layers.layer(lock)

    assert ("one", "shared", "two") == layer.modules
    assert 2 == sum(path.endswith(".whl") for path in index.requests[asked:])


async def test_a_package_that_lists_its_files_wrongly_is_installed(layers: Layers, index: Index) -> None:
    """Its wheel is the locked one; it is noted."""
    index.wheel("liar", lies_of="liar.py")
    layer = await layers.layer(await layers.locks.lock(["liar"], HERE))

    assert ("liar",) == layer.modules
    assert ("liar lists its own files wrongly.",) == layers.list()[0].warnings


@pytest.mark.parametrize("python", ["3.8", "3.10", "3.13"])
async def test_other_pythons_are_installed_and_compiled_for(
    layers: Layers, index: Index, python: str
) -> None:
    """Wheels of that version, byte code of that version where this machine has it."""
    index.wheel("alpha", tag=f"cp3{python[2:]}-cp3{python[2:]}-manylinux_2_28_x86_64")
    layer = await layers.layer(await layers.locks.lock(["alpha"], python))
    (info,) = layers.list()

    compiled = list(layer.path.rglob(f"alpha.cpython-3{python[2:]}.pyc"))
    assert compiled or "was not byte-compiled" in info.warnings[0]


def test_files_that_are_no_code_do_not_stop_the_compiler(tmp_path: Path) -> None:
    """Templates, other Pythons' syntax, null bytes, nesting without end."""
    (tmp_path / "good.py").write_text("x = 1")
    (tmp_path / "template.py").write_text("class {{ name }}:")
    (tmp_path / "zero.py").write_bytes(b"\0")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\nx = '\xe9'")
    (tmp_path / "deep.py").write_text("x = " + "(" * 5_000 + ")" * 5_000)
    (tmp_path / "not_a_file.py").mkdir()
    listed = tmp_path / "listed"
    write_list(listed, [*(path.name for path in tmp_path.glob("*.py")), "gone.py"])
    done = run(*compile_command(sys.executable, str(tmp_path), str(listed), 2))

    assert 1 == done.returncode, done.stderr
    assert ["good"] == [path.name.partition(".")[0] for path in (tmp_path / "__pycache__").iterdir()]


async def test_no_credential_is_in_a_command_line(make: Make, index: Index) -> None:
    """Everybody on a machine can read those."""
    index.wheel("alpha")
    index.password = "hunter2-and-more"
    layers = await make(index_url=index.url.replace("//", "//user:hunter2-and-more@"))
    lock = await layers.locks.lock(["alpha"], HERE)
    index.hang_files = True
    building = asyncio.create_task(layers.layer(lock))
    await index.reached.wait()
    (uv,) = children()
    words = command_line(uv)
    limit = resource.prlimit(uv, resource.RLIMIT_FSIZE)
    building.cancel()

    assert b"hunter2" not in words
    assert limit[0] == 2048 << 20
    assert "hunter2" not in lock.text


async def test_nothing_is_left_in_the_cache_of_what_was_too_large(
    make: Make, index: Index, tmp_path: Path
) -> None:
    """And what an earlier one left there is not counted against the next."""
    index.wheel("bomb", files={f"bomb/part{n}.bin": bytes(900_000) for n in range(40)})
    index.wheel("alpha")
    cache = tmp_path / "cache" / "uv"
    relic = cache / ".tmpRelic"
    relic.mkdir(parents=True)
    (relic / "large.bin").write_bytes(bytes(3 << 20))
    layers = await make(layer_max_mb=2)

    with pytest.raises(errors.LayerTooLarge):
        await layers.layer(await layers.locks.lock(["bomb"], HERE))
    assert [relic] == list(cache.glob(".tmp*"))
    assert ("alpha",) == (await layers.layer(await layers.locks.lock(["alpha"], HERE))).modules
    os.utime(relic, (0, 0))
    await make(layer_max_mb=2)
    assert not relic.exists()


async def test_a_build_that_is_stopped_at_its_end_is_whole_or_not_there(
    make: Make, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that finishes it is waited for before its files are removed."""
    index.wheel("alpha")
    layers = await make()
    lock = await layers.locks.lock(["alpha"], HERE)
    finishing, go = threading.Event(), threading.Event()
    write = build.tree.write

    def slow(path: Path, content: bytes) -> None:
        finishing.set()
        go.wait(10)
        write(path, content)

    monkeypatch.setattr(build.tree, "write", slow)
    building = asyncio.create_task(layers.layer(lock))
    await asyncio.to_thread(finishing.wait, 20)
    closing = asyncio.create_task(layers.close())
    await asyncio.sleep(0)
    go.set()
    await closing

    with pytest.raises(errors.BuildKilled):
        await building
    assert [] == left(tmp_path / "data" / "layers")
    fresh = await make(compiler=None)
    asked = len(index.requests)
    assert (await fresh.layer(lock)).path.is_dir()
    assert asked == len(index.requests)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("failed to open `/srv/qflow/cache/uv/x.lock`: no", "failed to open `…/x.lock`: no"),
        ("at file:///srv/wheels/alpha.whl (from /opt/a-b/c)", "at …/alpha.whl (from …/c)"),
        ("https://me:hunter2@host.example/simple/six/", "https://***@host.example/simple/six/"),
    ],
)
async def test_what_the_installer_says_is_masked(layers: Layers, said: str, shown: str) -> None:
    """Errors go to people who have no business with this machine's directories, or the index's password."""
    assert shown == layers._uv.mask(said)
