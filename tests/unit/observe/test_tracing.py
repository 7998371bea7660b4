"""Runs as spans: in the caller's trace, with their phases, and continued in the sandbox."""

import subprocess
import sys
from pathlib import Path

import pytest

from qflow_runner.errors import Unavailable
from qflow_runner.observe import tracing
from qflow_runner.observe.tracing import Tracing, endpoint_of
from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings
from tests.runner import RunnerClient, running
from tests.unit.observe.collector import attributes, collecting

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = f"00-{ID}-{SPAN}-01"
TELLS = (
    "import os, time\nfrom qflow import Context\n"
    "def f(context: Context) -> dict:\n"
    "    time.sleep(0.02)\n"
    "    return {'environment': os.environ.get('TRACEPARENT', ''), 'context': context.traceparent}\n"
)


async def traced(
    runner: RunnerClient, code: str, header: str = CALLER, execution: str = "e"
) -> dict[str, str]:
    definition = await runner.define(code)
    status, reply = await runner.call(
        "POST",
        f"/v1/definitions/{definition}/runs",
        params={"workflow": "w", "execution": execution, "node": "Traced"},
        json={"items": [{"json": {}}]},
        headers={"traceparent": header, "X-Request-Id": "of-the-caller"},
    )
    return reply["items"][0]["json"] if status == 200 else reply


async def test_a_run_is_a_span_of_its_callers_trace(tmp_path: Path) -> None:
    """With a child for each phase, the run's facts, and the code's own environment pointing at it."""
    async with collecting() as collector:
        settings = {"pool_floor": 1, "otlp_endpoint": collector.address}
        async with running(ProcessBackend(Settings().cache_dir), tmp_path, **settings) as runner:
            await runner.until_ready()
            told = await traced(runner, TELLS)
            await traced(runner, "def f():\n    raise ValueError('no')\n")
        # Closing the runner has sent what waited.
        good, bad = sorted(collector.of("qflow.run"), key=lambda span: span.start_time_unix_nano)

    assert (bytes.fromhex(ID), bytes.fromhex(SPAN)) == (good.trace_id, good.parent_span_id)
    assert told == dict.fromkeys(("environment", "context"), f"00-{ID}-{good.span_id.hex()}-01")
    facts = attributes(good)
    assert ("ok", "w", "e", "Traced", 1, "of-the-caller") == tuple(
        facts[f"qflow.{name}"] for name in ("outcome", "workflow", "execution", "node", "items", "request")
    )
    assert "qflow-runner" == collector.resources[0]["service.name"]
    phases = [span for span in collector.spans if span.parent_span_id == good.span_id]
    assert "qflow.code" in {span.name for span in phases}
    assert float(str(facts["qflow.code_ms"])) >= 20 > float(str(facts["qflow.encode_ms"])) > 0
    for phase in phases:
        assert good.start_time_unix_nano <= phase.start_time_unix_nano <= phase.end_time_unix_nano
        assert phase.end_time_unix_nano <= good.end_time_unix_nano
    assert ("user_code", "code_raised") == (attributes(bad)["qflow.outcome"], attributes(bad)["error.type"])
    assert 2 == bad.status.code


async def test_a_trace_that_is_not_sampled_is_not_sent(tmp_path: Path) -> None:
    """And the code learns that it is not."""
    async with collecting() as collector:
        settings = {"pool_floor": 1, "otlp_endpoint": collector.address}
        async with running(ProcessBackend(Settings().cache_dir), tmp_path, **settings) as runner:
            await runner.until_ready()
            told = await traced(runner, TELLS, f"00-{ID}-{SPAN}-00")
            nonsense = await traced(runner, TELLS, "nonsense", execution="other")

    (span,) = collector.of("qflow.run")
    assert told["environment"].startswith(f"00-{ID}-")
    assert told["environment"].endswith("-00")
    assert nonsense["environment"] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert not span.parent_span_id


async def test_without_a_collector_the_callers_trace_is_passed_on(busy: RunnerClient) -> None:
    """As it came; where there is none the code sees none, also after a run that had one."""
    assert CALLER == (await traced(busy, TELLS))["environment"]
    assert "" == (await traced(busy, TELLS, "nonsense"))["environment"]


async def test_a_collector_that_is_away_costs_nothing(tmp_path: Path) -> None:
    """Runs are answered, and the runner stops within its deadline."""
    settings = {"pool_floor": 1, "otlp_endpoint": "http://127.0.0.1:9"}
    async with running(ProcessBackend(Settings().cache_dir), tmp_path, **settings) as runner:
        await runner.until_ready()
        assert (await traced(runner, TELLS))["context"].startswith(f"00-{ID}-")


def test_off_nothing_is_loaded() -> None:
    """The library costs memory and a start; who does not ask for traces has neither."""
    code = (
        "import sys, asyncio\n"
        "from qflow_runner.observe.tracing import Tracing\n"
        "from qflow_runner.settings import Settings\n"
        "import qflow_runner.api.parts, qflow_runner.api.server\n"
        "asyncio.run(Tracing(Settings(), 'r').open())\n"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert "False" == done.stdout.strip()


def test_without_the_library_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot hold is not left aside silently."""
    monkeypatch.setattr(tracing.importlib.util, "find_spec", lambda _: None)

    with pytest.raises(Unavailable, match="OpenTelemetry is not installed"):
        Tracing(Settings(otlp_endpoint="http://127.0.0.1:4318"), "r")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp", "https://c/otlp/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_the_address_is_read_as_opentelemetry_does(given: str, used: str) -> None:
    """The path of traces is added, unless it stands there."""
    assert used == endpoint_of(given)
