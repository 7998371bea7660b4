"""One session per workflow execution: found again for the execution's next node, ended when it is over or idle."""

from qflow_runner.sessions.desk import Place
from qflow_runner.sessions.held import Held
from qflow_runner.sessions.run_desk import RunDesk
from qflow_runner.sessions.sessions import Sessions
from qflow_runner.sessions.values import Values

__all__ = ["Held", "Place", "RunDesk", "Sessions", "Values"]
