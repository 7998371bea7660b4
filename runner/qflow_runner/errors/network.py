"""The network beyond a sandbox: what may not be listed, and what cannot be opened."""

from typing import ClassVar

from qflow_runner.errors.base import QflowError, RequestError


class EgressInvalid(RequestError):
    """A line that is no host:port."""

    code = "egress_invalid"
    hint = "Write host:port, as in api.example.org:443, or *.example.org:443 for all names below it (HTTP and HTTPS)."


class EgressNotAllowed(QflowError):
    """A host that the administrator does not let nodes list."""

    code = "egress_not_allowed"
    category = "policy"
    status = 403
    hint = (
        "Take it out of the node's Network Access, or ask the administrator to add it to QFLOW_EGRESS_ALLOW."
    )


class EgressTooMany(QflowError):
    """The nodes of a workflow share what they list, and it has become too long."""

    code = "egress_too_many"
    category = "policy"
    status = 422
    hint = "List fewer hosts, or one pattern such as *.example.org:443 in place of many names."


class SecretHostRefused(QflowError):
    """A secret is bound to hosts, and its sandbox can reach others."""

    code = "secret_host_refused"
    category = "policy"
    status = 403
    hint = (
        "All nodes of a workflow share what they list. Use the secret in a workflow whose nodes list its hosts alone, "
        "or add the host to the secret in the credential."
    )


class EgressUnavailable(QflowError):
    """The way out of a sandbox could not be opened."""

    code = "egress_unavailable"
    category = "network"
    status = 503
    hint = "Run the workflow again. The code may hold a port of 127.7.0.0/16 itself: those are for Network Access."
    headers: ClassVar = {"Retry-After": "1"}
