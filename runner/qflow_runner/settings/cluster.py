"""Whether runs are made in this process, or by workers of a cluster, and where those meet."""

import importlib.util
from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings

from qflow_runner.settings.table import setting


class ClusterSettings(BaseSettings):
    engine: Literal["embedded", "celery"] = setting(
        "embedded",
        "name",
        "Who makes the runs: embedded is this process; celery hands them to workers (`qflow worker`) through QFLOW_REDIS_URL",
    )
    cluster: str = setting(
        "qflow",
        "name",
        "The cluster's name; two on one Redis need two names",
        pattern="^[a-z0-9][a-z0-9-]{0,39}$",
    )
    shared_dir: Path | None = setting(
        None,
        "path",
        "A directory that every process of the cluster sees: files, spilled values, large items and versions of packages",
    )
    shared_bucket: str | None = setting(
        None,
        "url",
        "In the place of such a directory, a bucket of an S3-compatible store: s3://name/folder; its address and keys as AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        pattern="^s3://[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9._-]+)*/?$",
    )
    worker_runs: int = setting(
        16, "count", "Runs that one worker makes at the same time; others are left to other workers", ge=1
    )
    worker_lost_s: float = setting(
        10.0,
        "seconds",
        "How long a worker may say nothing until its runs are answered as lost and others take its executions",
        ge=1,
    )


def celery_missing() -> bool:
    return importlib.util.find_spec("celery") is None


def bucket_client_missing() -> bool:
    return importlib.util.find_spec("obstore") is None
