"""What an administrator wants code to import and to do: advice and order on top of the sandbox, which is the boundary."""

from qflow_runner.code_policy.guard import CodePolicy
from qflow_runner.code_policy.rules import Mode, Rules, rules_of

__all__ = ["CodePolicy", "Mode", "Rules", "rules_of"]
