"""Shared by every kind of test: an environment without the developer's own settings."""

import os

import hypothesis.internal.observability  # noqa: F401 - its plugin imports it at the very end, and pytest then rewrites it
import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No QFLOW_ variable of the developer's shell reaches a test."""
    for name in list(os.environ):
        if name.startswith("QFLOW_") and name not in {"QFLOW_CACHE", "QFLOW_EXECUTIONS", "QFLOW_SCREENSHOTS"}:
            monkeypatch.delenv(name)
