"""Which place the settings say for what."""

from pathlib import Path

from qflow_runner.blobs.bucket import BucketBlobs
from qflow_runner.blobs.directory import DirectoryBlobs
from qflow_runner.blobs.model import Blobs
from qflow_runner.settings import Settings

CLUSTER_MARK = "cluster"
"""What the first process of a cluster puts into what it shares."""


def shared_blobs(settings: Settings) -> Blobs | None:
    """What all runners of a cluster see."""
    if settings.shared_bucket is not None:
        return BucketBlobs(settings.shared_bucket, settings.data_dir / "uploads")
    return DirectoryBlobs(settings.shared_dir) if settings.shared_dir is not None else None


def blobs_for(settings: Settings, folder: str, own: Path | None = None) -> Blobs:
    """A folder of what is shared, else of this runner's data; or a directory of its `own`."""
    if own is not None:
        return DirectoryBlobs(own)
    return (shared_blobs(settings) or DirectoryBlobs(settings.data_dir)).within(folder)
