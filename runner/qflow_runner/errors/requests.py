"""What the caller can mend: the request, the token, a name."""

from typing import ClassVar

from qflow_runner.errors.base import RequestError


class Unauthorized(RequestError):
    code = "unauthorized"
    category = "policy"
    status = 401
    hint = "Send the runner's token as 'Authorization: Bearer …': QFLOW_TOKEN, or the one printed at its first start."
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="qflow"'}


class NotFound(RequestError):
    code = "not_found"
    category = "unavailable"
    status = 404
    hint = "See /openapi.json for the calls that there are."


class MethodNotAllowed(NotFound):
    code = "method_not_allowed"
    status = 405


class DefinitionUnknown(RequestError):
    code = "definition_unknown"
    category = "unavailable"
    status = 404
    hint = "PUT it to /v1/definitions and call again."


class BodyInvalid(RequestError):
    code = "body_invalid"
    hint = 'Send JSON of the form {"items": [{"json": {…}}, …], "args": [{…}]}.'


class BodyTooLarge(RequestError):
    code = "body_too_large"
    category = "policy"
    status = 413
    hint = "Send fewer items at a time (Loop Over Items), or raise QFLOW_MAX_BODY_MB."


class PythonUnsupported(RequestError):
    code = "python_unsupported"
    category = "dependency"
    status = 422


class PackageVulnerable(RequestError):
    code = "package_vulnerable"
    category = "policy"
    status = 422
    hint = "Ask for a fixed version in the node's requirements, or set QFLOW_ADVISORIES=warn."


class TypeUnreadable(RequestError):
    code = "type_unreadable"
    status = 422
    hint = "Write it as an annotation in Python, such as list[int] or int | None."


class SavedUnknown(RequestError):
    code = "saved_unknown"
    category = "unavailable"
    status = 404
    hint = "See GET /v1/saved for the names that there are; the name may have been deleted."


class SavedVersionUnknown(SavedUnknown):
    code = "saved_version_unknown"
    hint = "Leave the version out to take the latest, or choose one that there is."


class SavedChanged(RequestError):
    """Somebody saved another version meanwhile: nothing was saved now."""

    code = "saved_changed"
    category = "unavailable"
    status = 409
    hint = "Look at the newest version; to put yours on top of it, save with its number in 'based_on'."


class SavedNameInvalid(RequestError):
    code = "saved_name_invalid"
    hint = "A name has 1 to 200 printable characters, and no space at either end."


class RunUnknown(RequestError):
    code = "run_unknown"
    status = 404
    hint = "See the id; records of runs are kept for QFLOW_RUN_DAYS."


class InputGone(RequestError):
    code = "input_gone"
    status = 410
    hint = "Set QFLOW_KEEP_INPUTS to all to keep the items of every run; those of failed runs are kept by default."


class SandboxUnknown(RequestError):
    code = "sandbox_unknown"
    category = "unavailable"
    status = 404
    hint = "It may be gone already: see GET /v1/sandboxes for those that there are."


class WorkflowUnknown(RequestError):
    code = "workflow_unknown"
    category = "unavailable"
    status = 404
    hint = "PUT it to /v1/workflows/{id} first."


class WorkflowNotRunnable(RequestError):
    """What stands in the way is known before anything runs."""

    code = "workflow_not_runnable"
    status = 422
    hint = "Change the workflow as it says, or choose the nodes to run with 'nodes'."


class LinkIncompatible(RequestError):
    code = "link_incompatible"
    status = 422
    hint = 'Correct the link, or run it all the same with "check": false.'


class FileUnknown(RequestError):
    code = "file_unknown"
    category = "unavailable"
    status = 404
    hint = (
        "Files are kept until their execution is over, or for QFLOW_FILES_KEEP_S: run the node again that made it, "
        "or upload it again."
    )


class FileIdInvalid(RequestError):
    code = "file_id_invalid"
    hint = (
        "An id is 1 to 64 letters, digits, '-' and '_', and of one execution alone: take a long random one."
    )


class FileTooLarge(RequestError):
    code = "file_too_large"
    category = "policy"
    status = 413
    hint = "Split the file, or raise QFLOW_FILES_MAX_MB."


class UploadBroken(RequestError):
    """The content ended early, stalled, or was not what was announced. Nothing of it is kept."""

    code = "upload_broken"
    category = "network"
    hint = "Upload it again."
