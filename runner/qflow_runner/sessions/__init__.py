"""One session per workflow execution: found again for the execution's next node, ended when it is over or idle."""

from qflow_runner.sessions.sessions import Sessions as Sessions
