"""What a person is told where a place for contents failed."""

import errno

from qflow_runner.blobs.bucket import BucketFailed
from qflow_runner.errors import DiskFailed, DiskFull, QflowError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
BUCKET = "See that the store is there, and that QFLOW_SHARED_BUCKET, AWS_ENDPOINT_URL, AWS_REGION and the AWS keys are right."


def problem(error: OSError) -> QflowError:
    reason = error.strerror or type(error).__name__
    if error.errno in NO_ROOM:
        return DiskFull(f"The runner's disk took no more: {reason}.")
    if isinstance(error, BucketFailed):
        return DiskFailed(f"The cluster could not use {reason}.", hint=BUCKET)
    return DiskFailed(f"The runner could not use its disk: {reason}.")
