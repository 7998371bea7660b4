"""Where named contents lie: a directory of this machine or of several, or a bucket of an object store."""

from qflow_runner.blobs.bucket import BucketBlobs, BucketFailed
from qflow_runner.blobs.directory import DirectoryBlobs
from qflow_runner.blobs.model import Blob, Blobs, Buffer, Held, Reading, Writing
from qflow_runner.blobs.places import CLUSTER_MARK, blobs_for, shared_blobs
from qflow_runner.blobs.problems import problem

__all__ = [
    "CLUSTER_MARK",
    "Blob",
    "Blobs",
    "BucketBlobs",
    "BucketFailed",
    "Buffer",
    "DirectoryBlobs",
    "Held",
    "Reading",
    "Writing",
    "blobs_for",
    "problem",
    "shared_blobs",
]
