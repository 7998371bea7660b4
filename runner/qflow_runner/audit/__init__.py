"""The audit log: who did what, from where, when, and how it ended. Runs are not in it: they have records of their own."""

from qflow_runner.audit.log import NOBODY, Audit, Who
from qflow_runner.audit.tally import Tally
from qflow_runner.audit.verify import Verified, verify

__all__ = ["NOBODY", "Audit", "Tally", "Verified", "Who", "verify"]
