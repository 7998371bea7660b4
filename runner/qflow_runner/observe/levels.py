"""What there is at a moment: gauges that are set when somebody asks for them."""

from prometheus_client import Gauge

from qflow_runner.observe.registry import REGISTRY

READY = Gauge("qflow_ready", "1 when runs can be served, as /readyz says", registry=REGISTRY)
PART_UP = Gauge(
    "qflow_part_up",
    "1 for a part of /readyz that is well, 0 for one that is not",
    ["part"],
    registry=REGISTRY,
)

UNDER_WAY = Gauge("qflow_runs_under_way", "Runs that have a place", registry=REGISTRY)
WAITING = Gauge("qflow_runs_waiting", "Runs that wait for a place", registry=REGISTRY)
PLACES = Gauge("qflow_runs_places", "Runs that may be under way at once", registry=REGISTRY)
HELD_BYTES = Gauge(
    "qflow_run_held_bytes", "Items of runs under way in the runner's memory", registry=REGISTRY
)
WATCHERS = Gauge(
    "qflow_event_watchers", "Readers of live events: consoles and followed executions", registry=REGISTRY
)

SANDBOXES = Gauge(
    "qflow_sandboxes", "Sandboxes, by state: booting, warm, owned", ["state"], registry=REGISTRY
)
SANDBOX_PLACES = Gauge("qflow_sandboxes_places", "Sandboxes that there may be", registry=REGISTRY)
SANDBOX_MEMORY = Gauge("qflow_sandboxes_memory_bytes", "Memory that all sandboxes use", registry=REGISTRY)
SANDBOX_MEMORY_LIMIT = Gauge(
    "qflow_sandboxes_memory_limit_bytes", "Memory that all sandboxes may use", registry=REGISTRY
)
LEASES_WAITING = Gauge(
    "qflow_sandbox_leases_waiting", "Runs with a place that wait for their sandbox", registry=REGISTRY
)
SESSIONS = Gauge("qflow_sessions", "Sessions that hold an execution", registry=REGISTRY)

DEFINITIONS = Gauge("qflow_definitions", "Definitions in memory", registry=REGISTRY)
LAYERS = Gauge("qflow_layers", "Layers on disk", registry=REGISTRY)
LAYERS_BYTES = Gauge("qflow_layers_bytes", "Bytes of the layers on disk", registry=REGISTRY)
CACHE_BYTES = Gauge(
    "qflow_result_cache_bytes", "Bytes of cached results, by tier", ["tier"], registry=REGISTRY
)
CACHE_ENTRIES = Gauge("qflow_result_cache_entries", "Cached results, by tier", ["tier"], registry=REGISTRY)
CACHE_UP = Gauge(
    "qflow_result_cache_up", "1 for a tier that is used, 0 for one that is away", ["tier"], registry=REGISTRY
)
FILES = Gauge("qflow_files", "Files of runs on disk", registry=REGISTRY)
FILES_BYTES = Gauge(
    "qflow_files_bytes", "Bytes of files of runs on disk, 256 KB more for each", registry=REGISTRY
)
SPILL = Gauge("qflow_spill", "Spilled values on disk", registry=REGISTRY)
SPILL_BYTES = Gauge(
    "qflow_spill_bytes", "Bytes of spilled values on disk, 256 KB more for each", registry=REGISTRY
)

CLUSTER_WORKERS = Gauge("qflow_cluster_workers", "Workers that take runs", registry=REGISTRY)
CLUSTER_PLACES = Gauge("qflow_cluster_places", "Runs that all workers make at once", registry=REGISTRY)
CLUSTER_QUEUED = Gauge("qflow_cluster_queued", "Runs in Redis that wait for a worker", registry=REGISTRY)
CLUSTER_WORKERS_WANTED = Gauge(
    "qflow_cluster_workers_wanted",
    "Workers that what runs and what waits would keep busy: what an autoscaler goes by",
    registry=REGISTRY,
)

RECORDS_OWED = Gauge("qflow_records_owed", "Records of runs that wait for the database", registry=REGISTRY)
AUDIT_OWED = Gauge("qflow_audit_entries_owed", "Audit entries that wait for the database", registry=REGISTRY)
DISK_FREE = Gauge(
    "qflow_disk_free_bytes",
    "Free space where the runner keeps this: data, layers, files, spill, cache",
    ["place"],
    registry=REGISTRY,
)
DISK_SIZE = Gauge("qflow_disk_size_bytes", "Size of that file system", ["place"], registry=REGISTRY)

LOOP_LAG_MAX = Gauge(
    "qflow_event_loop_lag_max_seconds",
    "How late the event loop was at most, in the last minute",
    registry=REGISTRY,
)
CERTIFICATE_EXPIRES = Gauge(
    "qflow_certificate_expires_timestamp_seconds",
    "When the runner's certificate ends; 0 without one",
    registry=REGISTRY,
)
TOKEN_EXPIRES = Gauge(
    "qflow_token_expires_timestamp_seconds",
    "When the first of the tokens that were used since the start ends; 0 where none does",
    registry=REGISTRY,
)
