"""The alert rules and the dashboard's queries, in the eyes of Prometheus' own tool."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.observe.test_metrics import ROOT

MONITORING = ROOT / "monitoring"


@pytest.fixture(scope="module")
def promtool() -> str:
    cache = os.environ.get("QFLOW_CACHE") or os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    kept = Path(cache) / ("promtool/promtool" if "QFLOW_CACHE" in os.environ else "qflow/promtool/promtool")
    found = shutil.which("promtool") or (str(kept) if kept.is_file() else None)
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no promtool: scripts/promtool.sh fetches it")
    assert found is not None, "scripts/promtool.sh was to fetch promtool"
    return found


def ask(promtool: str, *arguments: str, **options: str) -> str:
    done = subprocess.run(
        [promtool, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=MONITORING,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_alert_rules_are_good(promtool: str) -> None:
    """Every expression parses, and every rule has what it needs."""
    assert "rules found" in ask(promtool, "check", "rules", "--lint-fatal", "prometheus-alerts.yml")


def test_alerts_come_when_they_must_and_not_before(promtool: str) -> None:
    """Series as a runner would tell them, and what each rule makes of them."""
    assert "SUCCESS" in ask(promtool, "test", "rules", "prometheus-alerts.test.yml")


def test_every_query_of_the_dashboard_parses(promtool: str, tmp_path: Path) -> None:
    """As rules of a file, with Grafana's variables filled in."""
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    rules = [
        {
            "record": f"query:{number}",
            "expr": query.replace("$__rate_interval", "5m").replace("$instance", ".*"),
        }
        for number, query in enumerate(queries)
    ]
    path = tmp_path / "queries.json"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"{len(rules)} rules found" in ask(promtool, "check", "rules", str(path))


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """Its data source is a variable, its panels do not lie on each other, and each has its own number."""
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    assert {"datasource", "instance"} == {each["name"] for each in board["templating"]["list"]}
    assert [each["title"] for each in board["panels"] if each["type"] == "row"] == [
        "Traffic and errors",
        "Latency by phase",
        "Sandboxes and memory",
        "Packages",
        "Store and caches",
        "Egress and access",
    ]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
            assert 'instance=~"$instance"' in target["expr"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_alert_tells_what_to_do() -> None:
    """A sentence that names the runner, and one that says what to look at."""
    rules = (MONITORING / "prometheus-alerts.yml").read_text()
    alerts = re.split(r"^ +- alert: ", rules, flags=re.MULTILINE)[1:]
    for alert in alerts:
        name = alert.split()[0]
        assert re.search(r"severity: (critical|warning|info)", alert), name
        assert "{{ $labels.instance }}" in alert.split("summary:")[1].splitlines()[0], name
        assert len(alert.split("description:")[1].strip()) > 20, name
