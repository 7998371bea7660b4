"""Who makes the runs: this process, or workers of a cluster. Whoever asks does not see the difference."""

from qflow_runner.engine.embedded import Embedded
from qflow_runner.engine.model import Answers, Call, Calls, Engine

__all__ = ["Answers", "Call", "Calls", "Embedded", "Engine"]
