"""Connects to a listed host: resolves its name here, checks every address, and dials one that passed.

It is the address that was checked which is connected to, so a name that changes its mind in between gains nothing.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from qflow_runner.egress.addresses import plain
from qflow_runner.egress.policy import Policy

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a name, best first. Raises OSError."""

RESOLVING = 16
"""Names that are resolved at once: each takes a thread for as long as the resolver is silent."""

ATTEMPT_S = 3.0
"""For one of several addresses."""


class Refused(Exception):
    """The policy's sentence."""


class Unreached(Exception):
    """It may be reached, and was not: the sentence says why."""


@dataclass(frozen=True)
class Dialled:
    """A connected socket that does not block; whoever has it closes it."""

    socket: socket.socket
    address: str


class Names:
    """The machine's own resolver, in threads of its own; who asks for the same name shares the answer."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVING, thread_name_prefix="names")
        self._asking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        key = host, port
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port)
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asking)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answered(self, key: tuple[str, int], done: "asyncio.Future[list[str]]") -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # nobody may be waiting for it any more


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Dialler:
    def __init__(
        self, policy: Policy, deadline_s: float, own_port: int, resolve: Resolve | None = None
    ) -> None:
        self._policy = policy
        self._deadline_s = deadline_s
        self._own_port = own_port
        self._names = None if resolve else Names()
        self._resolve = resolve or self._names

    def close(self) -> None:
        if self._names is not None:
            self._names.close()

    async def dial(self, host: str, port: int) -> Dialled:
        """Raises Refused, or Unreached, within the deadline."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._first(port, await self._checked(host, port))
        except TimeoutError:
            raise Unreached(f"there was no answer within {self._deadline_s:g} s") from None

    async def _checked(self, host: str, port: int) -> list[str]:
        known = self._policy.hosts.get(host)
        if known:
            found = list(known)
        else:
            assert self._resolve is not None  # noqa: S101 - one of both was made
            try:
                found = await self._resolve(host, port)
            except (OSError, UnicodeError) as error:
                raise Unreached(f"its name was not resolved ({_why(error)})") from None
        reasons = {address: self._reason(host, port, address) for address in found}
        passed = [address for address, reason in reasons.items() if not reason]
        if not passed:
            raise Refused(next(iter(reasons.values()), "its name has no address"))
        return passed

    def _reason(self, host: str, port: int, address: str) -> str:
        reason = self._policy.refusal(host, port, address)
        if not reason and port == self._own_port and _own(address):
            return "it is the runner itself"
        return reason

    async def _first(self, port: int, addresses: list[str]) -> Dialled:
        why = "it has no address"
        for address in addresses:
            limit = self._deadline_s if len(addresses) == 1 else ATTEMPT_S
            try:
                async with asyncio.timeout(limit):
                    return await _connected(address, port)
            except TimeoutError:
                why = f"{address} did not answer"
            except OSError as error:
                why = f"{address}: {_why(error)}"
        raise Unreached(why)


async def _connected(address: str, port: int) -> Dialled:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    connected = False
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
        connected = True
    finally:
        if not connected:
            made.close()
    return Dialled(made, address)


def _own(address: str) -> bool:
    """Whether it is one of this machine: then it is also where a datagram to it would come from. None is sent."""
    given = plain(address)
    if given is None or given.is_loopback:
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as way:
        try:
            way.connect((address, 9))
            return way.getsockname()[0] == way.getpeername()[0]
        except OSError:
            return False


def _why(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return str(error.strerror or error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return type(error).__name__
