"""Tells http clients of the proxy, by the variables that all of them know."""

import os

_NEAR = "localhost,127.0.0.1,::1"


def use(url: str) -> None:
    """Once for a session: what its code sets later is its own affair."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        os.environ[name] = os.environ[name.lower()] = url
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = _NEAR
