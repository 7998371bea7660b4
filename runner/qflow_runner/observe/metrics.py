"""What is counted where it happens. Labels are closed sets: no workflow, node or user ever makes a new series.

What there is at a moment stands in `levels`.
"""

from prometheus_client import Counter, Gauge, Histogram

from qflow_runner.errors.base import CATEGORIES
from qflow_runner.observe.registry import REGISTRY

PHASES = ("queue", "packages", "sandbox", "load", "parse", "bind", "code", "encode")
OUTCOMES = ("ok", *CATEGORIES, "cancelled")

_SHORT = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

RUNS = Counter(
    "qflow_runs",
    "Runs that ended, by 'ok', the category of the failure, or 'cancelled'",
    ["category"],
    registry=REGISTRY,
)
RUN_SECONDS = Histogram(
    "qflow_run_seconds",
    "From a run's arrival to its answer, with all waiting; of runs that succeeded and were not cached",
    buckets=_SHORT,
    registry=REGISTRY,
)
RUN_PHASE_SECONDS = Histogram(
    "qflow_run_phase_seconds",
    "What the time of these runs went into; load, parse, bind, code and encode as the guest tells it",
    ["phase"],
    buckets=_SHORT,
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
RUN_BYTES = Counter(
    "qflow_run_bytes",
    "Bytes of items of runs: 'in' as they came, 'out' as answered",
    ["way"],
    registry=REGISTRY,
)
RUN_ITEMS = Counter("qflow_run_items", "Items that runs answered", registry=REGISTRY)
RUN_ITEMS_FAILED = Counter(
    "qflow_run_items_failed", "Items that failed alone, in runs that went on", registry=REGISTRY
)
REFUSED = Counter(
    "qflow_runs_refused",
    "Runs that were refused before they began: queue_full, workflow_queue_full, waited_too_long",
    ["reason"],
    registry=REGISTRY,
)
LIMITS_HIT = Counter(
    "qflow_limits_hit",
    "Runs that ended at a limit: memory, processes, files or result of the node, or sandbox_memory",
    ["limit"],
    registry=REGISTRY,
)

BOOTS = Counter(
    "qflow_sandbox_boots",
    "Sandboxes booted, by outcome: ready, failed, returned",
    ["outcome"],
    registry=REGISTRY,
)
BOOT_SECONDS = Histogram(
    "qflow_sandbox_boot_seconds",
    "Time from the decision to boot a sandbox to its readiness",
    buckets=(0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20),
    registry=REGISTRY,
)
SANDBOXES_LOST = Counter("qflow_sandboxes_lost", "Sandboxes that died by themselves", registry=REGISTRY)
GROWN = Counter(
    "qflow_sandboxes_grown",
    "Sandboxes given more, because a node asked or memory ran out",
    ["why"],
    registry=REGISTRY,
)
SESSIONS_BEGUN = Counter(
    "qflow_sessions_begun", "Sessions that were given to an execution", registry=REGISTRY
)

LOCKS = Counter(
    "qflow_lock_resolutions",
    "Sets of requirements resolved to versions, by outcome",
    ["outcome"],
    registry=REGISTRY,
)
LOCK_SECONDS = Histogram(
    "qflow_lock_resolve_seconds", "Time of a resolution, with its waiting", buckets=_LONG, registry=REGISTRY
)
LAYER_BUILDS = Counter("qflow_layer_builds", "Layers built, by outcome", ["outcome"], registry=REGISTRY)
LAYER_BUILD_SECONDS = Histogram(
    "qflow_layer_build_seconds", "Time of a build, with its waiting", buckets=_LONG, registry=REGISTRY
)
LAYERS_USED = Counter(
    "qflow_layer_lookups",
    "Layers that runs asked for, by where they were: memory, disk, or nowhere ('built')",
    ["found"],
    registry=REGISTRY,
)
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

CACHE_HITS = Counter(
    "qflow_result_cache_hits", "Runs answered from the result cache, by tier", ["tier"], registry=REGISTRY
)
CACHE_MISSES = Counter(
    "qflow_result_cache_misses",
    "Runs of nodes with a time to live that were not in the cache",
    registry=REGISTRY,
)
SPILLED = Counter("qflow_spilled_values", "Values that moved from a session to disk", registry=REGISTRY)
SPILLED_BYTES = Counter("qflow_spilled_bytes", "Bytes of such values", registry=REGISTRY)
FILES_STORED = Counter(
    "qflow_files_stored", "Files of runs that were uploaded or returned", registry=REGISTRY
)
FILES_STORED_BYTES = Counter("qflow_files_stored_bytes", "Bytes of such files", registry=REGISTRY)
EVICTED = Counter(
    "qflow_evictions",
    "What had to go before its time because there was no room: file, value",
    ["kind"],
    registry=REGISTRY,
)

COMMITS = Counter("qflow_records_committed", "Records of runs committed to the database", registry=REGISTRY)
COMMIT_SECONDS = Histogram(
    "qflow_record_commit_seconds",
    "Time of one commit of records, of all runs that ended together",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
RECORDS_LOST = Counter(
    "qflow_records_lost", "Records given up because the database was away for too long", registry=REGISTRY
)
AUDITED = Counter("qflow_audit_entries", "Entries of the audit log that were committed", registry=REGISTRY)
AUDIT_LOST = Counter(
    "qflow_audit_entries_lost",
    "Entries given up because the database was away for too long",
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

REQUESTS = Counter(
    "qflow_requests",
    "Requests to the API, by the first digit of the answer: 2xx to 5xx",
    ["status"],
    registry=REGISTRY,
)
REQUESTS_REFUSED = Counter(
    "qflow_requests_refused",
    "Requests that access control refused: unauthorized, scope_missing, rate_limited, host_refused",
    ["reason"],
    registry=REGISTRY,
)
LOOP_LAG = Gauge("qflow_event_loop_lag_seconds", "How late the event loop was just now", registry=REGISTRY)

# From the start: a rate over a series that begins with its first event misses that event.
for _outcome in OUTCOMES:
    RUNS.labels(category=_outcome)
for _outcome in ("ready", "failed"):
    BOOTS.labels(outcome=_outcome)
for _outcome in ("ok", "failed"):
    LOCKS.labels(outcome=_outcome)
    LAYER_BUILDS.labels(outcome=_outcome)
for _reason in ("queue_full", "workflow_queue_full", "waited_too_long"):
    REFUSED.labels(reason=_reason)
for _reason in ("unauthorized", "scope_missing", "rate_limited", "host_refused"):
    REQUESTS_REFUSED.labels(reason=_reason)
for _status in ("2xx", "3xx", "4xx", "5xx"):
    REQUESTS.labels(status=_status)
for _outcome in ("connected", "closed", "refused", "failed"):
    EGRESS.labels(outcome=_outcome)
for _way in ("sent", "received"):
    EGRESS_BYTES.labels(way=_way)
for _found in ("memory", "disk", "built"):
    LAYERS_USED.labels(found=_found)
for _kind in ("file", "value"):
    EVICTED.labels(kind=_kind)
for _tier in ("memory", "disk"):
    CACHE_HITS.labels(tier=_tier)
for _verdict in ("vulnerable", "clean", "not_checked"):
    ADVISORY_CHECKS.labels(verdict=_verdict)
    PACKAGES_IN_USE.labels(verdict=_verdict)
for _outcome in ("ok", "failed"):
    ADVISORY_REQUESTS.labels(outcome=_outcome)
for _why in ("asked", "out_of_memory"):
    GROWN.labels(why=_why)
for _limit in ("memory", "processes", "files", "result", "sandbox_memory"):
    LIMITS_HIT.labels(limit=_limit)

IN, OUT = RUN_BYTES.labels(way="in"), RUN_BYTES.labels(way="out")
PHASE = {phase: RUN_PHASE_SECONDS.labels(phase=phase) for phase in PHASES}
