"""What is told in numbers: held to its conventions, to its documentation, and to what the dashboard and the alerts ask for."""

import json
import re
from pathlib import Path

import pytest

from qflow_runner.observe.metrics import OUTCOMES, PHASES
from tests.runner import RunnerClient
from tests.unit.observe.conftest import exposed
from tests.unit.observe.exposed import Family, value

ROOT = Path(__file__).parents[3]
UNITS = {
    "seconds": "_seconds",
    "bytes": "_bytes",
    "count": "",
    "0 or 1": "",
    "Unix time": "_timestamp_seconds",
}
FOREIGN = ("process_", "python_")
MOST_SERIES = 20
"""Of one metric: what a label can be is a closed set."""


def documented() -> dict[str, list[str]]:
    rows = re.findall(r"^\| `(qflow_\w+)` \|(.*)\|$", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in rows}


def asked_for() -> dict[str, set[str]]:
    """Names of metrics in the queries of the dashboard and of the alert rules, by where they stand."""
    board = json.loads((ROOT / "monitoring/grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 20
    rules = (ROOT / "monitoring/prometheus-alerts.yml").read_text()
    expressions = re.findall(r"^ +expr: (.*(?:\n {10,}\S.*)*)$", rules, re.MULTILINE)
    assert len(expressions) > 10
    names = re.compile(r"\b(?:qflow|process|python)_\w+")
    return {
        "dashboard": {name for query in queries for name in names.findall(query)},
        "alerts": {name for expression in expressions for name in names.findall(expression)},
    }


async def test_every_metric_is_named_by_convention_and_explained(busy: RunnerClient) -> None:
    """Prefix, unit, kind, a help text, and a row in docs/monitoring.md that says the same."""
    rows = documented()
    families = {n: f for n, f in (await exposed(busy)).items() if not n.startswith(FOREIGN)}

    assert families.keys() == rows.keys()
    for name, family in families.items():
        kind, unit, labels, told = rows[name]
        assert (told, True) == (family.help, len(family.help) >= 12), name
        assert family.kind == kind, name
        assert name.removesuffix("_total").endswith(UNITS[unit]), (name, unit)
        assert name.endswith("_total") == (kind == "counter"), name
        assert family.labels <= {label.strip("`") for label in labels.split(", ")}, (name, family.labels)


async def test_labels_are_closed_sets(busy: RunnerClient) -> None:
    """No name that a person chose becomes a series, however many there are."""
    before = await exposed(busy)
    for number in range(5):
        code = f"def f():\n    raise ValueError({number})\n"
        await busy.run(code, workflow=f"w{number}", execution=f"e{number}", node=f"Node {number}")
    after = await exposed(busy)

    assert {name: family.series for name, family in before.items()} == {
        name: family.series for name, family in after.items()
    }
    assert all(family.series <= MOST_SERIES * 2 for family in after.values()), "buckets aside"


async def test_runs_are_counted_by_category_and_their_time_by_phase(busy: RunnerClient) -> None:
    """Every outcome has a series from the start, so that its first event is not missed by a rate."""
    families = await exposed(busy)

    assert {dict(pairs)["category"] for _, pairs in families["qflow_runs_total"].samples} == {*OUTCOMES}
    assert value(families, "qflow_runs_total", category="ok") >= 4
    for category in ("user_code", "type", "timeout"):
        assert value(families, "qflow_runs_total", category=category) >= 1
    counts = {phase: value(families, "qflow_run_phase_seconds_count", phase=phase) for phase in PHASES}
    assert set(counts.values()) == {value(families, "qflow_run_seconds_count")}
    assert value(families, "qflow_run_phase_seconds_sum", phase="code") > 0
    assert value(families, "qflow_result_cache_hits_total", tier="memory") >= 1
    assert value(families, "qflow_result_cache_misses_total") >= 1
    assert value(families, "qflow_records_committed_total") >= 6
    assert value(families, "qflow_requests_refused_total", reason="unauthorized") >= 1


async def test_levels_say_what_there_is(busy: RunnerClient) -> None:
    """Readiness in numbers, room on disks, and who is open."""
    families = await exposed(busy)

    assert value(families, "qflow_ready") == 1
    assert value(families, "qflow_part_up", part="database") == 1
    assert value(families, "qflow_sandboxes", state="owned") >= 1
    assert value(families, "qflow_sessions") >= 1
    assert value(families, "qflow_disk_free_bytes", place="data") > 0
    assert value(families, "qflow_records_owed") == 0
    assert value(families, "qflow_runs_places") == 64
    assert value(families, "process_resident_memory_bytes") > 1 << 20


@pytest.mark.parametrize("place", ["dashboard", "alerts"])
async def test_what_is_asked_for_is_there(busy: RunnerClient, place: str) -> None:
    """A query of a metric that nobody tells is an empty panel, or an alert that never comes."""
    told = {sample for family in (await exposed(busy)).values() for sample, _ in family.samples}

    assert asked_for()[place] <= told


async def test_labels_that_are_asked_for_are_there(busy: RunnerClient) -> None:
    """A selector of a label's value that does not exist finds nothing, for ever."""
    families = await exposed(busy)
    text = (ROOT / "monitoring/prometheus-alerts.yml").read_text()
    text += (ROOT / "monitoring/grafana-dashboard.json").read_text().replace('\\"', '"')
    selectors = re.findall(r'(qflow_\w+)\{(\w+)(=|!=)"(\w+)"', text)
    assert selectors
    for sample, label, _, wanted in selectors:
        found: list[Family] = [f for f in families.values() if any(s == sample for s, _ in f.samples)]
        values = {dict(pairs).get(label) for f in found for _, pairs in f.samples}
        # The process backend is called so in the place of docker; what only a setting brings may be missing,
        # and the tests of a cluster look for its parts.
        only_set = {"docker", "redis", "process", "queue", "workers", "shared"}
        assert wanted in values | only_set, (sample, label, wanted)
