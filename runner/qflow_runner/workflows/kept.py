"""What the last check of each workflow found, for whoever asks again."""

from collections import OrderedDict

from qflow_runner.errors import WorkflowUnknown
from qflow_runner.workflows.check import Check

KEPT_WORKFLOWS = 1_000


class KeptWorkflows:
    """The workflows that were put, as they were last checked; the one put longest ago is forgotten first."""

    def __init__(self) -> None:
        self._checks: OrderedDict[str, Check] = OrderedDict()

    def put(self, workflow: str, check: Check) -> None:
        self._checks[workflow] = check
        self._checks.move_to_end(workflow)
        if len(self._checks) > KEPT_WORKFLOWS:
            self._checks.popitem(last=False)

    def get(self, workflow: str) -> Check:
        """Raises WorkflowUnknown."""
        try:
            return self._checks[workflow]
        except KeyError:
            raise WorkflowUnknown("The runner does not know this workflow.") from None
