"""Locks: chosen once, the same until somebody upgrades, and failures in the words of the person's lines."""

import asyncio
import time
from pathlib import Path

import pytest

from lab.bucket import BucketServer
from qflow_runner import errors
from qflow_runner.layers import Layers
from tests.unit.layers.conftest import Make
from tests.unit.layers.wheels import Index


async def test_a_lock_stays_the_same_when_newer_versions_come(
    layers: Layers, make: Make, index: Index
) -> None:
    """In this process and in the next; however the lines are written."""
    index.wheel("alpha", "1.0")
    index.wheel("beta", requires=["alpha"])
    first = await layers.locks.lock(["beta", "alpha"], "3.12")
    index.wheel("alpha", "2.0")
    asked = len(index.requests)

    assert [("alpha", "1.0"), ("beta", "1.0")] == [(each.name, each.version) for each in first.packages]
    assert first.text.count("--hash=sha256:") == 2
    assert first == await layers.locks.lock(["Alpha", "beta  # the second"], "3.12")
    assert first == await (await make()).locks.lock(["alpha\nbeta"], "3.12")
    assert asked == len(index.requests)


async def test_another_python_is_another_lock(layers: Layers, index: Index) -> None:
    """Versions and files differ between Pythons."""
    index.wheel("alpha")

    assert (await layers.locks.lock(["alpha"], "3.12")).id != (await layers.locks.lock(["alpha"], "3.11")).id
    with pytest.raises(errors.PythonUnsupported):
        await layers.locks.lock(["alpha"], "3.12; rm -rf /")


async def test_callers_at_once_share_one_resolution(layers: Layers, index: Index) -> None:
    """Ten nodes that open at the same time ask the index once."""
    index.wheel("alpha")
    locks = await asyncio.gather(*(layers.locks.lock(["alpha"], "3.12") for _ in range(10)))

    assert 1 == len(set(locks))
    assert 1 == index.requests.count("/simple/alpha/")


async def test_an_unchanged_lock_takes_no_time(layers: Layers, make: Make, index: Index) -> None:
    """From memory far under a millisecond; the first time in a new process under 5."""
    index.wheel("alpha")
    await layers.locks.lock(["alpha"], "3.12")
    fresh = await make()
    times = []
    for _ in range(50):
        began = time.perf_counter()
        await fresh.locks.lock(["alpha"], "3.12")
        times.append(time.perf_counter() - began)

    assert times[0] < 0.05
    assert sorted(times)[25] < 0.001


async def test_markers_that_leave_nothing_are_an_empty_lock(layers: Layers) -> None:
    """A backport that this Python does not need."""
    lock = await layers.locks.lock(["tomli ; python_version < '3.11'"], "3.12")

    assert () == lock.packages
    assert (await layers.layer(lock)).modules == ()


async def test_an_upgrade_is_shown_accepted_and_taken_back(layers: Layers, make: Make, index: Index) -> None:
    """Nothing changes before it is accepted; another process sees what was accepted."""
    index.wheel("alpha", "1.0", requires=["old"])
    index.wheel("old")
    before = await layers.locks.lock(["alpha"], "3.12")
    index.wheel("alpha", "2.0", requires=["new"])
    index.wheel("new")
    other = await make()
    change = await layers.locks.upgrade(["alpha"], "3.12")

    assert ((("alpha", "1.0", "2.0"),), (("new", "1.0"),), (("old", "1.0"),)) == (
        change.changed,
        change.added,
        change.removed,
    )
    assert before == await layers.locks.lock(["alpha"], "3.12") == await other.locks.lock(["alpha"], "3.12")
    await layers.locks.accept(change)
    assert (
        change.new == await layers.locks.lock(["alpha"], "3.12") == await other.locks.lock(["alpha"], "3.12")
    )
    with pytest.raises(errors.LockMoved):
        await other.locks.accept(change)
    assert (await layers.locks.upgrade(["alpha"], "3.12")).same
    assert before == await layers.locks.rollback(["alpha"], "3.12")
    assert before == await other.locks.lock(["alpha"], "3.12")
    with pytest.raises(errors.LockMoved):
        await layers.locks.rollback(["alpha"], "3.12")


async def test_constraints_bound_all_locks(make: Make, index: Index, tmp_path: Path) -> None:
    """Other constraints are other locks."""
    index.wheel("alpha", "1.0")
    index.wheel("alpha", "2.0")
    bounds = tmp_path / "bounds.txt"
    bounds.write_text("alpha<2\n")

    assert "2.0" == (await (await make()).locks.lock(["alpha"], "3.12")).packages[0].version
    bound = await make(constraints=bounds)
    assert "1.0" == (await bound.locks.lock(["alpha"], "3.12")).packages[0].version
    with pytest.raises(errors.QflowError, match="alpha") as caught:
        await bound.locks.lock(["alpha>=2"], "3.12")
    assert caught.value.category == "dependency"
    with pytest.raises(errors.Unavailable, match="QFLOW_CONSTRAINTS"):
        await make(constraints=tmp_path / "none.txt")


async def test_ones_own_hashes_bind_the_lock(layers: Layers, index: Index) -> None:
    """The index may not offer another file under the same version."""
    index.wheel("alpha")
    real = (await layers.locks.lock(["alpha"], "3.12")).text.split("--hash=")[1].strip()

    assert (
        real in (await layers.locks.lock([f"alpha==1.0 --hash={real} --hash=sha256:{'0' * 64}"], "3.12")).text
    )
    with pytest.raises(errors.HashMismatch, match=r"alpha==1\.0"):
        await layers.locks.lock([f"alpha==1.0 --hash=sha256:{'0' * 64}"], "3.12")


async def test_an_index_without_hashes_is_locked_all_the_same(layers: Layers, index: Index) -> None:
    """The hashes are then those of the files as they are now."""
    index.wheel("alpha")
    index.hashes = False
    lock = await layers.locks.lock(["alpha"], "3.12")

    assert "--hash=sha256:" in lock.text
    assert ("alpha",) == (await layers.layer(lock)).modules


@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        (["reqeusts"], errors.PackageUnknown, ["'reqeusts'", "requests"]),
        (["sklearn-pandas-nope", "needs"], errors.PackageUnknown, ["no package"]),
        (["needs"], errors.PackageUnknown, ["nothere", "'needs'"]),
        (["beta", "alpha>=2"], errors.RequirementsConflict, ["'beta'", "'alpha>=2'", "beta needs alpha<2"]),
        (["alpha<1.5", "alpha>1.5"], errors.QflowError, ["alpha<1.5"]),
        (["alpha==9"], errors.VersionMissing, ["'alpha==9'"]),
        (["alpha>=9"], errors.VersionMissing, ["'alpha>=9'"]),
        (["new"], errors.PackagePython, ["'new'", ">=3.13", "3.12"]),
        (["needsnew"], errors.PackagePython, ["new", "'needsnew'", ">=3.13"]),
        (["win"], errors.WheelMissing, ["'win'", "win_amd64"]),
        (["old"], errors.WheelMissing, ["'old'", "cp38", "3.12"]),
        (["gone"], errors.VersionYanked, ["'gone'", "broken"]),
    ],
)
async def test_a_failure_names_the_line_that_is_to_blame(
    layers: Layers, index: Index, lines: list[str], kind: type[errors.QflowError], words: list[str]
) -> None:
    """Each kind with its own sentence, in the person's own words, and with something to do."""
    index.wheel("alpha", "1.0")
    index.wheel("alpha", "2.0")
    index.wheel("beta", requires=["alpha<2"])
    index.wheel("needs", requires=["nothere"])
    index.wheel("new", python=">=3.13")
    index.wheel("needsnew", requires=["new"])
    index.wheel("win", tag="cp312-cp312-win_amd64")
    index.wheel("old", tag="cp38-cp38-manylinux_2_28_x86_64")
    index.wheel("gone")
    index.yanked["gone-1.0-py3-none-any.whl"] = "broken"

    with pytest.raises(kind) as caught:
        await layers.locks.lock(lines, "3.12")

    document = caught.value.document()
    said = document["detail"] + document["hint"]
    assert [] == [word for word in words if word not in said]
    assert "dependency" == document["category"]
    assert document["uv"]


async def test_a_withdrawn_version_that_is_named_is_a_warning(layers: Layers, index: Index) -> None:
    """It may be just the one that somebody needs."""
    index.wheel("gone")
    index.yanked["gone-1.0-py3-none-any.whl"] = "broken"
    lock = await layers.locks.lock(["gone==1.0"], "3.12")

    assert ("gone==1.0 was withdrawn by its authors: broken.",) == lock.warnings


async def test_an_index_that_is_away_is_told_from_one_that_refuses(make: Make, index: Index) -> None:
    """No request is left hanging, and no password is told."""
    index.wheel("alpha")
    secret = "hunter2-and-more"
    index.password = secret
    with_password = index.url.replace("//", f"//user:{secret}@")

    assert (await (await make(index_url=with_password)).locks.lock(["alpha"], "3.12")).packages
    for url in (index.url.replace("//", f"//user:{secret}x@"), index.url):
        with pytest.raises(errors.IndexRefused) as refused:
            await (await make(index_url=url)).locks.lock(["alpha", "six"], "3.12")
        assert secret not in str(refused.value.document())
    index.status = 503
    with pytest.raises(errors.IndexUnavailable, match="answers with an error"):
        await (await make(index_url=with_password)).locks.lock(["beta"], "3.12")
    with pytest.raises(errors.IndexUnavailable, match="refuses connections"):
        await (await make(index_url="http://127.0.0.1:1/simple")).locks.lock(["beta"], "3.12")


async def test_a_password_changes_no_versions(make: Make, index: Index) -> None:
    """The next one finds the locks that were made with the last."""
    index.wheel("alpha", "1.0")
    lock = await (await make()).locks.lock(["alpha"], "3.12")
    index.wheel("alpha", "2.0")
    index.password = "another"
    renewed = await make(index_url=index.url.replace("//", "//user:another@"))

    assert lock == await renewed.locks.lock(["alpha"], "3.12")


async def test_an_index_that_hangs_ends_at_the_deadline(make: Make, index: Index) -> None:
    """And uv with it."""
    index.hang = True
    layers = await make(build_deadline_s=0.5)
    began = time.monotonic()

    with pytest.raises(errors.BuildTimeout, match=r"longer than 0\.5 s"):
        await layers.locks.lock(["alpha"], "3.12")
    assert time.monotonic() - began < 5


async def test_wheels_of_a_directory_need_no_index(make: Make, index: Index) -> None:
    """The offline mode."""
    index.wheel("alpha", requires=["beta"])
    index.wheel("beta")
    layers = await make(wheels_dir=index.directory, index_url=None)
    lock = await layers.locks.lock(["alpha"], "3.12")

    assert ("alpha", "beta") == (await layers.layer(lock)).modules
    assert [] == index.requests
    with pytest.raises(errors.PackageUnknown, match="wheel directory"):
        await layers.locks.lock(["gamma"], "3.12")


async def test_a_wheel_can_come_from_a_url_where_that_is_allowed(make: Make, index: Index) -> None:
    """Locked with its hash."""
    index.wheel("alpha")
    url = index.url.replace("/simple", "/files/alpha-1.0-py3-none-any.whl")
    layers = await make(package_urls=True)
    lock = await layers.locks.lock([f"alpha @ {url}"], "3.12")

    assert "--hash=sha256:" in lock.text
    assert "1.0" == lock.packages[0].version
    assert ("alpha",) == (await layers.layer(lock)).modules


async def test_a_lock_that_cannot_be_read_is_made_anew(
    layers: Layers, make: Make, index: Index, tmp_path: Path
) -> None:
    """A torn file is no reason to refuse a run."""
    index.wheel("alpha")
    lock = await layers.locks.lock(["alpha"], "3.12")
    (file,) = (tmp_path / "data" / "locks").glob("*.json")
    file.write_text('{"current"')

    assert lock == await (await make()).locks.lock(["alpha"], "3.12")


async def test_runners_that_share_the_locks_run_the_same_versions(
    tmp_path: Path, make: Make, index: Index
) -> None:
    """Whoever resolved first has chosen, though another one did at the same time and found newer ones."""
    first, second = [await make(shared_dir=tmp_path / "shared") for _ in range(2)]
    index.wheel("alpha", "1.0")
    chosen = await first.locks.lock(["alpha"], "3.12")
    index.wheel("alpha", "2.0")
    later = await second.locks._resolver.resolve(second.locks.asked(["alpha"]), "3.12")

    assert [("alpha", "2.0")] == [(each.name, each.version) for each in later.packages]
    assert chosen == second.locks._book.store(second.locks.key(["alpha"], "3.12"), later)
    assert chosen == await second.locks.lock(["alpha"], "3.12")


async def test_a_lock_in_a_bucket_is_found_followed_and_changed_once(
    tmp_path: Path, make: Make, index: Index, bucket: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another runner resolves nothing anew, sees an upgrade within seconds, and of two who upgrade one is told."""
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("qflow_runner.layers.locking.REFRESH_S", 0.1)
    url = bucket.url(tmp_path.name)
    index.wheel("alpha", "1.0")
    first = await make(shared_bucket=url)
    second = await make(shared_bucket=url)
    chosen = await first.locks.lock(["alpha"], "3.12")
    index.wheel("alpha", "2.0")
    asked = len(index.requests)

    assert chosen == await second.locks.lock(["alpha"], "3.12")
    assert asked == len(index.requests)

    changes = [await each.locks.upgrade(["alpha"], "3.12") for each in (first, second)]
    assert ("alpha", "1.0", "2.0") == changes[0].changed[0]
    newer = await first.locks.accept(changes[0])
    with pytest.raises(errors.LockMoved):
        await second.locks.accept(changes[1])
    async with asyncio.timeout(10):
        while await second.locks.lock(["alpha"], "3.12") != newer:
            await asyncio.sleep(0.05)
    assert 1 == second.locks.decided(["alpha"], "3.12")
    assert chosen == await second.locks.rollback(["alpha"], "3.12")
    assert chosen == (await (await make(shared_bucket=url)).locks.lock(["alpha"], "3.12"))
