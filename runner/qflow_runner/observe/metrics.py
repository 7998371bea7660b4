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
RUN_CPU_SECONDS = Histogram(
    "qflow_run_cpu_seconds",
    "CPU time of runs that succeeded, with that of the processes they started",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100, 300),
    registry=REGISTRY,
)
RUN_PEAK_BYTES = Histogram(
    "qflow_run_peak_bytes",
    "Most memory of the session, for runs that succeeded",
    buckets=tuple(mb << 20 for mb in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)),
    registry=REGISTRY,
)
LIMITS_HIT = Counter(
    "qflow_limits_hit",
    "Runs that ended at a limit: memory, processes, files or result of the node, or sandbox_memory",
    ["limit"],
    registry=REGISTRY,
)
GROWN = Counter(
    "qflow_sandboxes_grown",
    "Sandboxes given more, because a node asked or memory ran out",
    ["why"],
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

EGRESS = Counter(
    "qflow_egress_connections",
    "Connections that code asked for, by outcome: connected, closed, refused, failed",
    ["outcome"],
    registry=REGISTRY,
)
EGRESS_BYTES = Counter(
    "qflow_egress_bytes",
    "Bytes through connections of code, 'sent' by it or 'received'",
    ["way"],
    registry=REGISTRY,
)
EGRESS_OPEN = Gauge("qflow_egress_open", "Connections of code that are open", registry=REGISTRY)


REFUSED = Counter(
    "qflow_runs_refused",
    "Runs that were refused before they began: queue_full, workflow_queue_full, waited_too_long",
    ["reason"],
    registry=REGISTRY,
)
ADMITTED = Gauge("qflow_runs_under_way", "Runs that have a place", registry=REGISTRY)
WAITING = Gauge("qflow_runs_waiting", "Runs that wait for a place", registry=REGISTRY)
LOOP_LAG = Gauge("qflow_event_loop_lag_seconds", "How late the event loop was just now", registry=REGISTRY)


def render() -> bytes:
    return generate_latest(REGISTRY)
