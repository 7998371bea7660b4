"""Limits per node: what may be asked for, how a sandbox grows, and what is read of processes."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from qflow_runner.definitions import DefinitionRequest, Definitions, Found, content_of, definition_of
from qflow_runner.errors import DockerUnavailable, LimitTooHigh
from qflow_runner.limits import Asked
from qflow_runner.sandbox.cgroups import Groups
from qflow_runner.sandbox.fake import FakeBackend
from qflow_runner.sandbox.readings import cpu_clock, look, tree
from qflow_runner.sandbox.sampler import Sampler, Watched
from qflow_runner.settings import Settings
from tests.runner import running

CODE = "def f(item: dict) -> dict:\n    return item\n"


def made(settings: Settings | None = None, **asked: Any) -> Any:
    definitions = Definitions(settings or Settings(), ("3.12",))
    return definitions.make(DefinitionRequest(code=CODE, **asked), Found())


def test_a_definition_without_limits_keeps_its_hash() -> None:
    """Those from before there were limits are found under their ids; 0 is to name none."""
    assert made().id == made(memory_mb=0, cpus=0, log_kb=0).id
    assert made().id != made(memory_mb=128).id
    assert Asked() == made().limits


def test_limits_come_back_from_what_was_stored() -> None:
    """Also where the store's row has none of them."""
    definition = made(memory_mb=256, cpus=0.5, file_mb=3)
    content = content_of(definition)

    assert Asked(memory_mb=256, cpus=0.5, file_mb=3) == definition_of("x", content, Settings()).limits
    assert Asked() == definition_of("x", {"code": CODE}, Settings()).limits


@pytest.mark.parametrize(
    ("asked", "sentence", "hint"),
    [
        ({"memory_mb": 4096}, "4096 MB is over this runner's maximum of 2048 MB", "QFLOW_MEMORY_MAX_MB"),
        ({"memory_mb": 10}, "10 MB is under the least", "Raise it in the node"),
        ({"cpus": 2.5}, "2.5 CPUs is over this runner's maximum of 2 CPUs", "QFLOW_CPUS_MAX"),
        ({"processes": 300}, "300 is over this runner's maximum of 256", "QFLOW_PROCESSES"),
        ({"file_mb": 100}, "100 MB is over this runner's maximum of 64 MB", "QFLOW_TMP_MB"),
        ({"output_mb": 257}, "257 MB is over this runner's maximum of 256 MB", "QFLOW_MAX_BODY_MB"),
    ],
)
def test_more_than_the_instance_gives(asked: dict[str, Any], sentence: str, hint: str) -> None:
    """A limit over the instance's is refused with both numbers and the setting."""
    with pytest.raises(LimitTooHigh) as refused:
        made(**asked)

    assert sentence in refused.value.detail
    assert hint in (refused.value.hint or "")
    assert refused.value.category == "policy"


@pytest.mark.parametrize(
    "asked", [{"memory_mb": -1}, {"cpus": float("nan")}, {"processes": "many"}, {"log_kb": 2000}]
)
def test_what_is_no_limit(asked: dict[str, Any]) -> None:
    """Nonsense is refused where the request is read."""
    with pytest.raises(ValidationError):
        DefinitionRequest(code=CODE, **asked)


def test_the_instances_most_is_never_under_what_each_sandbox_has() -> None:
    """Who sets QFLOW_MEMORY_MB alone can ask for that."""
    assert made(Settings(memory_mb=4096), memory_mb=4000).memory_mb == 4000


async def test_a_sandbox_is_raised_for_a_node_that_asks(tmp_path: Path) -> None:
    """Once, before the run; a node that asks for less leaves it as it is."""
    backend = FakeBackend()
    async with running(backend, tmp_path, pool_floor=0) as client:
        for memory_mb, cpus in ((1024, 0), (600, 0), (0, 1), (1024, 1)):
            await client.values(CODE, memory_mb=memory_mb, cpus=cpus)
        (row,) = await client.sandboxes()

    assert [(1024, 0.5), (1024, 1.0)] == [(each.memory_mb, each.cpus) for _, each in backend.resized]
    assert (1024, 1.0) == (row["memory_limit_mb"], row["cpus"])


async def test_a_sandbox_that_cannot_be_raised_runs_nothing(tmp_path: Path) -> None:
    """The node is told that Docker is away; others run on."""
    backend = FakeBackend()
    async with running(backend, tmp_path, pool_floor=0) as client:
        await client.values(CODE)
        backend.stop_docker()
        status, reply = await client.run(CODE, memory_mb=1024)
        assert (DockerUnavailable.status, "docker_unavailable") == (status, reply["code"])
        assert [{}] == await client.values(CODE, memory_mb=512)
        backend.failure = None


async def test_after_a_shortage_it_doubles_up_to_the_most(tmp_path: Path) -> None:
    """Runs that met the same end raise it once."""
    backend = FakeBackend()
    async with running(backend, tmp_path, pool_floor=0, memory_max_mb=1500) as client:
        await client.values(CODE)
        (guest,) = client.state.keeper.guests.values()
        growth = client.state.limiter.growth
        assert [1024, 1024] == await asyncio.gather(*(growth.after_shortage(guest, 512) for _ in range(2)))
        assert await growth.after_shortage(guest, 1024) == 1500
        assert await growth.after_shortage(guest, 1500) is None

    assert [1024, 1500] == [each.memory_mb for _, each in backend.resized]


@pytest.fixture
def busy() -> Iterator[int]:
    """A process that takes memory and CPU, and has a child."""
    code = (
        "import os, time, sys\nkept = os.urandom(1024) * 40_000\n"
        "if os.fork() == 0:\n    time.sleep(60)\nprint('up', flush=True)\n"
        "while True:\n    pass\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    below = tree(process.pid)
    yield process.pid
    for pid in below:
        os.kill(pid, 9)
    process.wait()
    process.stdout.close()


def test_what_a_process_uses(busy: int) -> None:
    """Memory, CPU time and processes of it and its children; what is shared counts once."""
    before = cpu_clock(busy)
    time.sleep(0.3)
    seen = look(busy)

    assert seen is not None
    assert len(tree(busy)) == 2 == seen.processes
    assert 40 << 20 < seen.memory < 75 << 20
    assert seen.peak >= seen.memory
    assert before is not None
    assert 0.02 < seen.cpu_s - before < 1


def test_a_process_that_is_gone() -> None:
    """Nothing is read, and nothing raised."""
    process = subprocess.Popen(["true"])
    process.wait()

    assert look(process.pid) is None
    assert cpu_clock(process.pid) is None


async def test_a_run_is_looked_at_while_it_lasts(busy: int) -> None:
    """Each look is told, in the event loop, and of the run alone; after the run there is none."""
    sampler = Sampler(0.05)
    seen: list[Any] = []
    watched = Watched(busy, None, fresh=False, told=seen.append)
    sampler.add(watched)
    async with asyncio.timeout(5):
        while len(seen) < 4:
            await asyncio.sleep(0.02)
    sampler.discard(watched)
    count = len(seen)
    await asyncio.sleep(0.2)
    sampler.close()

    assert count == len(seen)
    assert seen[-1].cpu_s >= seen[0].cpu_s
    assert seen[-1].cpu_s < 3
    assert seen[-1].memory > 40 << 20


def unified(root: Path, pid: str = "7") -> Path:
    """/proc and a version 2 hierarchy, as far as files can be: what the kernel does with them is not in this test."""
    group = root / "cgroup" / "docker" / "abc"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("")
    (group / "cgroup.subtree_control").write_text("")
    proc = root / "proc"
    for name, path in (("self", "/user.slice"), (pid, "/docker/abc")):
        (proc / name).mkdir(parents=True)
        (proc / name / "cgroup").write_text(f"0::{path}\n")
    (proc / "self" / "mountinfo").write_text(
        f"31 23 0:26 / {root}/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    return group


def test_version_2_takes_processes_out_of_the_way(tmp_path: Path) -> None:
    """Controllers work below a group only when no process is in it."""
    place = unified(tmp_path)
    groups = Groups.of(7, tmp_path / "proc")
    assert groups is not None
    (place / "agent").mkdir()
    (place / "agent" / "cgroup.procs").write_text("")

    group = groups.group()

    assert (place / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    assert group.places["memory"] == place / "session-1"
    for name in ("memory.max", "cpu.max", "pids.max"):
        (place / "session-1" / name).write_text("")
    group.limit(Asked(memory_mb=64, cpus=0.25), 20_000)
    assert (place / "session-1" / "memory.max").read_text() == str(64 << 20)
    assert (place / "session-1" / "cpu.max").read_text() == "5000 20000"
    assert (place / "session-1" / "pids.max").read_text() == "max"


@pytest.mark.parametrize("theirs", ["/", "/user.slice"])
def test_no_group_is_made_where_the_runner_itself_is(tmp_path: Path, theirs: str) -> None:
    """A sandbox that is no container shares the runner's group, which is not to be limited."""
    unified(tmp_path)
    (tmp_path / "proc" / "7" / "cgroup").write_text(f"0::{theirs}\n")

    assert Groups.of(7, tmp_path / "proc") is None


def test_no_group_where_nothing_is_seen(tmp_path: Path) -> None:
    """A process that is gone, or a hierarchy of which the runner sees a part."""
    unified(tmp_path)
    assert Groups.of(8, tmp_path / "proc") is None
    (tmp_path / "proc" / "self" / "mountinfo").write_text(
        f"31 23 0:26 /docker/me {tmp_path}/cgroup rw - cgroup2 cgroup2 rw\n"
    )
    assert Groups.of(7, tmp_path / "proc") is None
