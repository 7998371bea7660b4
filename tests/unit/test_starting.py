"""A runner that cannot start says why, and leaves nothing behind."""

import gc
import threading
from pathlib import Path

import pytest

from qflow_runner.errors import DiskFailed
from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import running


async def test_a_part_that_cannot_be_opened_leaves_none_open(tmp_path: Path) -> None:
    """No connection, thread or task of the others: an unclosed one would fail this test."""
    (tmp_path / "spill").write_text("in the way")
    before = {each.name for each in threading.enumerate()}

    with pytest.raises(DiskFailed, match="File exists"):
        async with running(FakeBackend(), tmp_path):
            pytest.fail("it started")

    gc.collect()
    left = {each.name for each in threading.enumerate()} - before
    assert not [name for name in left if name.startswith("qflow")], left
