"""Five pandas nodes inside real n8n, set up as on a server: n8n tells the runner when an execution is over.

A way's cost is that of its workflow less that of the same workflow without the five nodes.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from lab.hooks import with_hooks
from lab.n8n import N8n
from lab.runner import Runner
from tests.bench.client import Client
from tests.bench.direct import DEFAULT_CPUS
from tests.bench.inside_n8n import Bench, qflow
from tests.bench.references import LOOK, MAKE, STEPS, step
from tests.bench.results import Result, against

FIVE = [step(name, work) for name, work in STEPS.items()]
ONE = [step("all", *STEPS.values())]
WAYS: dict[str, tuple[str, Sequence[str]]] = {
    "reference.floor": ("auto", []),
    "reference.one": ("auto", ONE),
    "reference.five": ("auto", FIVE),
    "items.floor": ("items", []),
    "items.five": ("items", FIVE),
}
ROUNDS = 3


async def measure(folder: Path) -> list[Result]:
    runner = await Runner.start(
        folder / "runner", "docker", env={"QFLOW_CPUS": str(DEFAULT_CPUS), "QFLOW_LOG_LEVEL": "warning"}
    )
    try:
        saved = {"EXECUTIONS_DATA_SAVE_ON_SUCCESS": "none"}
        n8n = await N8n.start(folder / "n8n", env=saved | with_hooks(folder / "hooks", runner))
        try:
            client = await Client.connect(int(urlsplit(n8n.url).port or 0))
            bench = Bench(n8n, client)
            results = await _chain(bench, await _credential(n8n, runner))
            client.close()
        finally:
            await n8n.stop()
    finally:
        await runner.stop()
    return results


async def _credential(n8n: N8n, runner: Runner) -> dict[str, str]:
    return dict(await n8n.api.create_credential("Qflow", "qflowApi", runner.credential))


async def _chain(bench: Bench, credential: dict[str, str]) -> list[Result]:
    for way, (output, codes) in WAYS.items():
        nodes = [qflow(code, credential, output=output) for code in (MAKE, *codes, LOOK)]
        await bench.add(way, nodes)
    times = await bench.in_turns(list(WAYS), ROUNDS)
    took = {way: statistics.median(values) for way, values in times.items()}
    five, one = (took[f"reference.{way}"] - took["reference.floor"] for way in ("five", "one"))
    items = took["items.five"] - took["items.floor"]
    note = "five pandas nodes, 0.5 CPU; beside it"
    return [
        against("n8n.chain5.df100k", five, items, ROUNDS, "≤ 0.1", f"{note} the same as items"),
        against("n8n.chain5.df100k.one", five, one, ROUNDS, "≤ 1.3", f"{note} the same work in one node"),
    ]
