"""What a host needs for a runner, looked at part by part: `qflow doctor`."""

from qflow_runner.doctor.checks import CHECKS, Finding, examine

__all__ = ["CHECKS", "Finding", "examine"]
