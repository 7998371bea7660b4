from collections.abc import AsyncIterator

import pytest

from qflow_runner.analysis import Analyzer


@pytest.fixture(scope="session", name="analyzer")
async def _analyzer() -> AsyncIterator[Analyzer]:
    analyzer = Analyzer()
    await analyzer.open()
    yield analyzer
    await analyzer.close()
