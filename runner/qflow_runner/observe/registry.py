"""Where all metrics are, and how they are read: one registry of the process."""

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from qflow_runner import __version__

REGISTRY = CollectorRegistry()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# They would double the number of series, and Prometheus knows itself when a counter began.
disable_created_metrics()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
Info("qflow_build", "1, with the runner's version", registry=REGISTRY).info({"version": __version__})


def render() -> bytes:
    return generate_latest(REGISTRY)
