"""The runner's Prometheus metrics. Labels are closed sets: no workflow, node or user ever makes a new series."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

RUNS = Counter(
    "qflow_runs", "Runs answered, by 'ok' or the category of the failure", ["category"], registry=REGISTRY
)
RUN_SECONDS = Histogram(
    "qflow_run_seconds",
    "Time from the request's body to the answer, of runs that succeeded",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
BOOTS = Counter("qflow_sandbox_boots", "Sandboxes booted, by outcome", ["outcome"], registry=REGISTRY)
BOOT_SECONDS = Histogram(
    "qflow_sandbox_boot_seconds",
    "Time from the decision to boot a sandbox to its readiness",
    buckets=(0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20),
    registry=REGISTRY,
)
SANDBOXES = Gauge("qflow_sandboxes", "Sandboxes, by state", ["state"], registry=REGISTRY)
SESSIONS = Gauge("qflow_sessions", "Sessions that hold an execution", registry=REGISTRY)

ADVISORY_CHECKS = Counter(
    "qflow_advisory_checks",
    "Packages looked up for known vulnerabilities, by answer: vulnerable, clean, not_checked",
    ["verdict"],
    registry=REGISTRY,
)
ADVISORY_REQUESTS = Counter(
    "qflow_advisory_requests", "Requests to the OSV service, by outcome", ["outcome"], registry=REGISTRY
)
PACKAGES_IN_USE = Gauge(
    "qflow_packages_in_use",
    "Packages of the locks in use, by the answer of their last check",
    ["verdict"],
    registry=REGISTRY,
)


def render() -> bytes:
    return generate_latest(REGISTRY)
