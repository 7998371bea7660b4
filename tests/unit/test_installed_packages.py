"""What analyses and the check of a workflow see of the packages that a node's first run has installed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.analysis import Analyzer
from qflow_runner.analysis import analyzer as timing
from qflow_runner.layers import Layers, compile_here
from qflow_runner.sandbox.fake import FakeBackend
from qflow_runner.settings import Settings
from qflow_runner.workflows import check
from tests.runner import RunnerClient, running
from tests.unit.layers.wheels import Index, serving
from tests.unit.workflows.build import qflow, workflow

CODE = "import frames\ndef load(path):\n    return frames.read(path)\n"
TAKES = "import frames\ndef show(frame: frames.Frame) -> str: ...\n"
FILES = {"frames/__init__.py": "class Frame: ...\ndef read(path): return Frame()\n"}


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Index]:
    async with serving(tmp_path / "index") as running_index:
        yield running_index


@pytest.fixture
async def runner(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunnerClient]:
    monkeypatch.setattr(timing, "DEADLINE_S", 60.0)
    monkeypatch.setattr(check, "INFER_S", 60.0)
    settings: dict[str, Any] = {"index_url": index.url, "cache_dir": tmp_path / "cache", "pool_floor": 0}
    async with running(FakeBackend(), tmp_path / "data", **settings) as client:
        yield client


async def _built(runner: RunnerClient, requirements: list[str], python: str = "3.12") -> None:
    layers = runner.state.layers
    await layers.layer(await layers.locks.lock(requirements, python))


async def test_types_come_with_the_first_layer(runner: RunnerClient, index: Index) -> None:
    """The result's type, and which requirements are installed; nothing is asked of the index for it."""
    index.wheel("frames", files=FILES)
    body = {"code": CODE, "python": "3.12"}
    _, before = await runner.call("POST", "/v1/analyze", json=body)
    assert [] == index.requests
    await _built(runner, ["frames"])
    _, after = await runner.call("POST", "/v1/analyze", json=body)
    _, listed = await runner.call("POST", "/v1/analyze", json=body | {"requirements": ["frames<1"]})
    _, refused = await runner.call("POST", "/v1/analyze", json=body | {"requirements": ["-e ."]})

    assert ["", "Frame", "", ""] == [
        each["functions"][0]["returns"] for each in (before, after, listed, refused)
    ]
    assert [None, True, None, None] == [
        each["requirements"][0]["installed"] for each in (before, after, listed, refused)
    ]


async def test_what_the_node_lists_goes_before_what_the_code_imports(
    runner: RunnerClient, index: Index
) -> None:
    """By the layer of those; a requirement of the code that it lacks is not installed."""
    index.wheel("frames", files=FILES)
    index.wheel("other")
    await _built(runner, ["frames==1.0"])
    await _built(runner, ["other"])
    body = {"code": CODE, "python": "3.12"}
    _, pinned = await runner.call("POST", "/v1/analyze", json=body | {"requirements": ["frames==1.0"]})
    _, other = await runner.call("POST", "/v1/analyze", json=body | {"requirements": ["other"]})

    assert ("Frame", True) == _said(pinned)
    assert ("", False) == _said(other)


@pytest.mark.parametrize("listed", ["", "frames==1.0  # pinned\n", ["frames==1.0"]])
async def test_links_are_judged_by_it(runner: RunnerClient, index: Index, listed: Any) -> None:
    """What is listed in the node, else what its code imports."""
    index.wheel("frames", files=FILES)
    options = {"python": "3.12"}
    nodes = {"load": qflow(CODE, requirements=listed, options=options), "show": qflow(TAKES, options=options)}
    data = workflow(nodes, ("load", "show"))
    _, before = await runner.call("POST", "/v1/workflows/check", json=data)
    await _built(runner, ["frames==1.0"] if listed else ["frames"])
    _, after = await runner.call("POST", "/v1/workflows/check", json=data)

    assert ["unchecked", "assignable"] == [each["links"][0]["verdict"] for each in (before, after)]
    assert "frames.Frame" == after["links"][0]["source"]


async def test_types_of_the_real_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package index that this machine is set up for."""
    monkeypatch.setattr(timing, "DEADLINE_S", 60.0)
    code = (
        "import pandas as pd\nimport numpy as np\n"
        "def a(path):\n    return pd.read_csv(path)\n"
        "def b(rows):\n    return pd.DataFrame(rows)['x']\n"
        "def c(n):\n    return np.zeros(n)\n"
        "def d(rows):\n    return pd.DataFrame(rows).groupby('x')\n"
    )
    layers = Layers(Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache"), compile_here)
    analyzer = Analyzer()
    await layers.open()
    await analyzer.open()
    try:
        layer = await layers.layer(await layers.locks.lock(["pandas", "numpy"], "3.12"))
        analysis = await analyzer.analyze(code, packages=layer.path)
    finally:
        await analyzer.close()
        await layers.close()

    assert ["DataFrame", "Series", "ndarray", "DataFrameGroupBy"] == [
        function.returns for function in analysis.functions
    ]
    assert ["pandas.DataFrame", "pandas.Series", "numpy.ndarray"] == [
        analysis.scope.imports[name] for name in ("DataFrame", "Series", "ndarray")
    ]


def _said(reply: dict[str, Any]) -> tuple[str, bool | None]:
    return reply["functions"][0]["returns"], reply["requirements"][0]["installed"]
