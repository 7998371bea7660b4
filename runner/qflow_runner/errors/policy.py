"""What the administrator's rules refuse."""

from qflow_runner.errors.base import RequestError


class CodeRefused(RequestError):
    code = "code_refused"
    category = "policy"
    status = 422
    hint = "Change the code, or ask the administrator of the runner (QFLOW_CODE_POLICY, QFLOW_IMPORTS_ALLOW)."


class PolicyFileInvalid(RequestError):
    """The rules cannot be read: the runner does not start, because it would run what they refuse."""

    code = "policy_file_invalid"
    category = "policy"
    hint = "Mend the file, or unset QFLOW_CODE_POLICY_FILE."
