"""Readiness: a reason for every part, and what makes a runner not ready."""

from pathlib import Path

import pytest

from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import RunnerClient, running

PARTS = {"docker", "isolation", "limits", "pool", "egress", "database", "records", "runs", "disk", "loop"}


async def test_every_part_has_a_reason(busy: RunnerClient) -> None:
    """Also when it is well; the parts are those of the documentation."""
    status, reply = await busy.call("GET", "/readyz")

    assert (200, PARTS) == (status, set(reply["parts"]))
    assert all(len(part["reason"]) > 8 for part in reply["parts"].values())
    assert reply["parts"]["records"]["ok"]
    text = (Path(__file__).parents[3] / "docs/monitoring.md").read_text()
    assert all(f"| `{part}`" in text for part in PARTS)


@pytest.mark.parametrize("free_mb", [0, 1 << 40])
async def test_a_disk_that_is_nearly_full_is_said_before_it_is(tmp_path: Path, free_mb: int) -> None:
    """The runner stays ready: what needs no room still works."""
    async with running(FakeBackend(), tmp_path, disk_free_mb=free_mb) as runner:
        await runner.until_ready()
        _, reply = await runner.call("GET", "/readyz")

    part = reply["parts"]["disk"]
    assert (reply["ready"], part["ok"]) == (True, not free_mb)
    assert ("nearly full" in part["reason"]) == bool(free_mb)


async def test_plain_processes_are_no_isolation(tmp_path: Path) -> None:
    """Ready for development, and never quietly."""
    async with running(FakeBackend(), tmp_path) as runner:
        await runner.until_ready()
        object.__setattr__(runner.state.settings, "backend", "process")
        _, reply = await runner.call("GET", "/readyz")

    assert (False, True) == (reply["parts"]["isolation"]["ok"], reply["ready"])


async def test_redis_is_a_part_where_one_is_set(tmp_path: Path) -> None:
    """Away, it costs nothing but what it is for."""
    pytest.importorskip("redis")
    async with running(FakeBackend(), tmp_path, redis_url="redis://127.0.0.1:9") as runner:
        await runner.until_ready()
        _, reply = await runner.call("GET", "/readyz")

    assert (True, False) == (reply["ready"], reply["parts"]["redis"]["ok"])
