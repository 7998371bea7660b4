"""Where a build in a sandbox may fetch from: the indexes, and the hosts that serve their files.

Inside, every address is plain http: this side makes it https again, checks the certificate, and adds the password.
"""

import base64
import ipaddress
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from qflow_runner.errors import SourceRefused
from qflow_runner.settings import Settings

PUBLIC = "https://pypi.org/simple"


@dataclass(frozen=True)
class Upstream:
    """`base` is scheme, host and port, as in https://index.example.org:8443."""

    base: str
    host: str
    authorization: str = ""


class Hosts:
    """`indexes`: their URLs, with passwords, the default one first. Raises SourceRefused for one that is none."""

    def __init__(self, indexes: Sequence[str], packages: Sequence[str]) -> None:
        self._known: dict[tuple[str, int], Upstream] = {}
        self.inside: list[str] = []
        """The indexes' addresses as a build has them: without a password."""
        for host in packages:
            name, _, port = host.lower().partition(":")
            self._known[name, int(port or 80)] = Upstream(f"https://{host.lower()}", name)
        for index in indexes:
            self._add(index)
        self.indexes = frozenset(urlsplit(index).hostname or "" for index in self.inside)

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str] = os.environ) -> "Hosts":
        """Those of the settings, else of uv's variables, else the public index."""

        def named(*names: str) -> str:
            given = settings.index_url is not None or settings.extra_index_urls is not None
            return "" if given else next((environment[name] for name in names if environment.get(name)), "")

        first = settings.index_url.get_secret_value() if settings.index_url else ""
        more = settings.extra_index_urls.get_secret_value() if settings.extra_index_urls else ""
        first = first or named("UV_DEFAULT_INDEX", "UV_INDEX_URL") or PUBLIC
        more = more or named("UV_INDEX", "UV_EXTRA_INDEX_URL")
        # uv's own variables may give an index a name, as in name=https://…
        urls = [
            each[each.find("=") + 1 :] if "=" in each.partition("://")[0] else each for each in more.split()
        ]
        return cls(
            [first[first.find("=") + 1 :] if "=" in first.partition("://")[0] else first, *urls],
            settings.package_hosts,
        )

    def find(self, url: str) -> Upstream | None:
        """The one that serves a URL which the build asked for."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        if parts.scheme != "http" or not parts.hostname:
            return None
        return self._known.get((parts.hostname, port or 80))

    def _add(self, index: str) -> None:
        try:
            parts = urlsplit(index)
            port = parts.port
        except ValueError:
            parts, port = SplitResult("", "", "", "", ""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SourceRefused(
                "The package index is no http or https address, and a build reaches no other.",
                hint="Set QFLOW_INDEX_URL to an index on the network, or ask for versions that come as wheels.",
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        netloc = f"{host}:{port}" if port else host
        secret = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            secret = f"Basic {base64.b64encode(pair.encode()).decode()}"
        upstream = Upstream(f"{parts.scheme}://{netloc}", parts.hostname, secret)
        self._known[parts.hostname, port or 80] = upstream
        self.inside.append(f"http://{netloc}{parts.path}")


class CheckedResolver(AbstractResolver):
    """Names an index's addresses whatever they are, and of other hosts no address of a private network.

    Unless an index is in a private network itself: then files may be there too, never on this machine.
    """

    def __init__(self, indexes: frozenset[str], inner: AbstractResolver | None = None) -> None:
        self._indexes = indexes
        self._inner = inner or ThreadedResolver()
        self._there: set[str] | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if host in self._indexes:
            return found
        there = await self._index_addresses(family)
        allowed = [each for each in found if _allowed(each["host"], there)]
        if not allowed:
            raise OSError(None, f"{host} is at a private address")
        return allowed

    async def close(self) -> None:
        await self._inner.close()

    async def _index_addresses(self, family: socket.AddressFamily) -> set[str]:
        if self._there is None:
            there: set[str] = set()
            for index in self._indexes:
                try:
                    there |= {each["host"] for each in await self._inner.resolve(index, 0, family)}
                except OSError:
                    continue
            self._there = there
        return self._there


def _allowed(address: str, indexes: set[str]) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.is_global or address in indexes:
        return True
    local = found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified
    return not local and any(ipaddress.ip_address(each.partition("%")[0]).is_private for each in indexes)
