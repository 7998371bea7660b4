"""How far executions of one workflow are kept apart: said on /readyz, and insisted on where a setting does."""

from pathlib import Path

import pytest

from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import running

GOOD = "def good(item: dict) -> dict:\n    return {'ok': True}\n"


async def test_a_kernel_that_can_is_said_to(tmp_path: Path) -> None:
    """Ready, and the part is well, also where it is required."""
    async with running(FakeBackend(), tmp_path, isolation="required") as runner:
        await runner.until_ready()
        _, reply = await runner.call("GET", "/readyz")

    assert reply["parts"]["isolation"]["ok"]
    assert "its own files" in reply["parts"]["isolation"]["reason"]


@pytest.mark.parametrize(
    ("isolation", "told"), [("", "no Landlock"), ("files", "6.12"), ("made up", "no Landlock")]
)
async def test_a_kernel_that_cannot_is_said_to(tmp_path: Path, isolation: str, told: str) -> None:
    """Runs go on, and /readyz has the reason. A word that nobody knows is none."""
    backend = FakeBackend()
    backend.isolation = isolation
    async with running(backend, tmp_path) as runner:
        await runner.until_ready()
        _, reply = await runner.call("GET", "/readyz")
        status, _ = await runner.run(GOOD)

    assert (True, False, 200) == (reply["ready"], reply["parts"]["isolation"]["ok"], status)
    assert told in reply["parts"]["isolation"]["reason"]


async def test_where_it_is_required_such_a_sandbox_is_not_used(tmp_path: Path) -> None:
    """No code runs, and the caller learns why."""
    backend = FakeBackend()
    backend.isolation = "files"
    async with running(backend, tmp_path, isolation="required") as runner:
        status, reply = await runner.run(GOOD)
        _, ready = await runner.call("GET", "/readyz")

    assert status >= 500
    assert "QFLOW_ISOLATION" in reply["detail"], reply
    assert not ready["ready"]
