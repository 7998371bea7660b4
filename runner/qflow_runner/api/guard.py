"""Who a request is from, whether it may, and how often: asked once, before anything else of the request is looked at."""

import ipaddress
from typing import Any

from aiohttp import web

from qflow_runner.access import Caller, Failures, Rates, Scope, Tokens
from qflow_runner.audit import Audit, Tally, Who
from qflow_runner.errors import HostRefused, RateLimited, ScopeMissing, Unauthorized
from qflow_runner.settings import Settings

CALLER = web.RequestKey("caller", Caller)
ABOUT = web.RequestKey("about", dict[str, Any])

_RUNS: tuple[Scope, ...] = ("run",)


class Guard:
    def __init__(self, settings: Settings, tokens: Tokens, audit: Audit) -> None:
        self._tokens = tokens
        self.tally = Tally(audit)
        self._failures = Failures()
        self._rates = Rates(settings.rate_per_s)
        self._run_rates = Rates(settings.run_rate_per_s)
        self._hosts = frozenset((*settings.allowed_hosts, settings.host.lower().strip("[]"), "localhost"))
        self._any_host = not settings.loopback and not settings.allowed_hosts

    def check_host(self, request: web.Request) -> None:
        """A page whose own name was made to lead here still says that name. Raises HostRefused."""
        given = request.headers.get("Host")
        if given is None or self._any_host:
            return
        name = _name_of(given)
        if name not in self._hosts and not _is_loopback(name):
            raise HostRefused(f"This runner is not called '{name[:100]}'.")

    async def caller(self, request: web.Request) -> Caller:
        """Raises Unauthorized, RateLimited and DatabaseUnavailable."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        token = given.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("The token is missing or wrong.")
        address = request.remote or ""
        try:
            caller = self._tokens.known(token)
            if caller is not None and not caller.guessable:
                return caller
            wait_s = self._failures.wait_s(address)
            if wait_s > 0:
                raise RateLimited("There were too many wrong tokens from this address.", wait_s)
            caller = caller or await self._tokens.verify(token)
        except Unauthorized as error:
            self._refuse(address, error.detail)
            raise
        if caller is None:
            self._refuse(address, "The token is wrong.")
            raise Unauthorized("The token is missing or wrong.")
        return caller

    def permit(self, caller: Caller, scopes: tuple[Scope, ...], request: web.Request) -> None:
        """Raises ScopeMissing and RateLimited."""
        missing = [scope for scope in scopes or ("admin",) if scope not in caller.scopes]
        if missing:
            place = f"{request.method} {request.path}"
            self.tally.add("access.refused", place, by=who(caller, request), outcome="scope_missing")
            raise ScopeMissing(
                f"The token '{caller.name}' has no scope '{missing[0]}', which this call needs.",
                hint=f"Make one that has it: qflow token create NAME --scope {missing[0]}.",
            )
        wait_s = (self._run_rates if scopes == _RUNS else self._rates).wait_s(caller.id)
        if wait_s > 0:
            raise RateLimited(f"The token '{caller.name}' calls too often.", wait_s)

    def _refuse(self, address: str, reason: str) -> None:
        self._failures.failed(address)
        self.tally.add("access.refused", reason, by=Who(origin=address), outcome="unauthorized")


def who(caller: Caller | None, request: web.Request) -> Who:
    address = request.remote or ""
    return Who(origin=address) if caller is None else Who(caller.id, caller.name, address)


def about(request: web.Request, thing: str, **details: Any) -> None:
    """What the audit log says of this call, beside its action."""
    request[ABOUT] = {"object": thing, **details}


def _name_of(host: str) -> str:
    """Without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.endswith(".localhost")
