"""What a node lists, and what the administrator lets it list: `host:port`, normalised, never an address."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

import idna

from qflow_runner.errors import EgressInvalid

MAX_LISTED = 64
"""Lines of one definition."""

MAX_TEXT = 300
"""Characters of one line."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_\-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
OWN_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "sandbox"})


@dataclass(frozen=True, order=True)
class Target:
    """A name and port that code may reach; `*.example.org` stands for every name below example.org."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def wildcard(self) -> bool:
        return self.host.startswith("*")

    def covers(self, host: str, port: int) -> bool:
        return port == self.port and host_covers(self.host, host)


@dataclass(frozen=True, order=True)
class Pattern:
    """As the administrator writes it: `*` is any host, and port 0, written `*`, any port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port or '*'}"

    def covers(self, target: Target) -> bool:
        return self.port in {0, target.port} and host_covers(self.host, target.host)


def host_covers(pattern: str, host: str) -> bool:
    """`host` may itself be a pattern: then all that it stands for must be covered."""
    if pattern in {"*", host}:
        return True
    return pattern.startswith("*.") and host.endswith(pattern[1:])


def targets_of(lines: Iterable[str]) -> tuple[Target, ...]:
    """Sorted, each once. Raises EgressInvalid."""
    return tuple(sorted({target_of(line) for line in lines if line.strip()}))


def target_of(line: str) -> Target:
    """Raises EgressInvalid, with a sentence about what is wrong with it."""
    host, port = _split(line)
    if not port:
        written = shown(host.partition("://")[2] or host).split("/")[0]
        raise EgressInvalid(
            f"'{shown(line)}' has no port.",
            hint=f"Write it with its port and without a path, as in {written}:443.",
        )
    return Target(host_of(host, line), port_of(port, line))


def pattern_of(text: str) -> Pattern:
    """Raises EgressInvalid."""
    host, port = _split(text)
    if not port:
        raise EgressInvalid(f"'{shown(text)}' has no port; write * for any.")
    return Pattern("*" if host == "*" else host_of(host, text), 0 if port == "*" else port_of(port, text))


def host_of(host: str, line: str) -> str:
    """The name as DNS has it: lower case, ASCII, without a final dot. Raises EgressInvalid."""
    text = host.strip().lower()
    below, name = text.startswith("*."), text.removeprefix("*.").removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise EgressInvalid(f"'{shown(line)}' is no name of a host.") from None
    if _is_address(name):
        raise EgressInvalid(
            f"'{shown(line)}' is an address, and sandboxes reach names.",
            hint="Give the address a name with QFLOW_EGRESS_HOSTS (db.internal=10.0.0.5), and list that.",
        )
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressInvalid(f"'{shown(line)}' is no name of a host.")
    if name in OWN_NAMES or labels[-1] == "localhost":
        raise EgressInvalid(
            f"'{shown(line)}' is the sandbox itself.",
            hint="Give the machine another name with QFLOW_EGRESS_HOSTS (host.internal=127.0.0.1), and list that.",
        )
    return f"*.{name}" if below else name


def port_of(text: str, line: str) -> int:
    if not _PORT.fullmatch(text) or not 0 < int(text) < 65536:
        raise EgressInvalid(f"'{shown(line)}' has no port between 1 and 65535.")
    return int(text)


def shown(text: str) -> str:
    """For a sentence: on one line, and not too long."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text.strip()[: MAX_TEXT + 1])
    return clean if len(clean) <= 120 else clean[:119] + "…"


def _split(line: str) -> tuple[str, str]:
    if len(line) > MAX_TEXT:
        raise EgressInvalid(f"'{shown(line)}' is longer than {MAX_TEXT} characters.")
    host, colon, port = line.strip().rpartition(":")
    if not colon or port.startswith("//") or "]" in port:
        return line.strip(), ""
    return host, port.strip()


def _is_address(name: str) -> bool:
    if name.startswith("[") or _NUMBER.fullmatch(name.rpartition(".")[2]):
        return True  # what a resolver takes for IPv4, such as 127.1 and 0x7f000001, is none of a name
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
