"""Who may call, from where, and how often."""

import math

from qflow_runner.errors.base import QflowError, RequestError


class ScopeMissing(RequestError):
    """The token is good, and not for this call."""

    code = "scope_missing"
    category = "policy"
    status = 403


class HostRefused(RequestError):
    """The request names a host that this runner is not: what a page does that got its own name rebound to it."""

    code = "host_refused"
    category = "policy"
    status = 403
    hint = "Call the runner by its address, or add the name to QFLOW_ALLOWED_HOSTS."


class RateLimited(QflowError):
    """Too many calls, or too many wrong tokens from one address."""

    code = "rate_limited"
    category = "busy"
    status = 429
    hint = "Call again after the seconds that Retry-After says."

    def __init__(self, detail: str, wait_s: float, *, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.retry_after_s = max(1, math.ceil(wait_s))


class BodyStalled(RequestError):
    """A body that comes too slowly holds what others could use."""

    code = "body_stalled"
    category = "network"
    status = 408
    hint = "Send it again; a slow line may need smaller bodies."


class TokenUnknown(RequestError):
    code = "token_unknown"
    category = "unavailable"
    status = 404
    hint = "See GET /v1/tokens, or `qflow token list`, for the ids that there are."
