"""What goes wrong in the lab itself, apart from what the product does."""


class LabError(Exception):
    """A real part could not be installed, started, or did not do what it always does."""


class RequestFailedError(LabError):
    """A server answered a request with an error. `status` is its HTTP status, `body` what it said."""

    def __init__(self, what: str, status: int, body: str) -> None:
        super().__init__(f"{what} answered {status}: {body[:2000]}")
        self.status = status
        self.body = body
