"""The first request on a connection from a sandbox: CONNECT, or plain http with the whole address. All of it is hostile.

A plain request is sent on with a head of our own making and `Connection: close`: what follows it on the connection
reaches the same host and port, which is all that was granted, and is never read here.
"""

import re
from dataclasses import dataclass

HEAD_MAX = 16 * 1024
"""Bytes of a request line with its header."""

_REQUEST = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([!-~]{1,8192}) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_AUTHORITY = re.compile(rb"([^:/?#@\[\]\\]+):([0-9]{1,5})")
_ADDRESS = re.compile(rb"(?i:http)://([^:/?#@\[\]\\]+)(?::([0-9]{1,5}))?([/?][!-~]*)?")
_OURS = frozenset(
    {
        b"connection",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"upgrade",
    }
)


class HeadRefused(Exception):
    """With a sentence for whoever sent it."""


@dataclass(frozen=True)
class Asked:
    """`forward` is the head to send to the host; None for a tunnel, which the answer opens."""

    host: str
    port: int
    forward: bytes | None = None


def asked(head: bytes) -> Asked:
    """`head` ends before the empty line. Raises HeadRefused."""
    first, *lines = head.split(b"\r\n")
    request = _REQUEST.fullmatch(first)
    if request is None:
        raise HeadRefused("This is no request of HTTP/1.1.")
    method, target, minor = request.groups()
    fields = [_field(line) for line in lines]
    if method == b"CONNECT":
        authority = _AUTHORITY.fullmatch(target)
        if authority is None:
            raise HeadRefused("CONNECT wants host:port.")
        return Asked(authority[1].decode(), int(authority[2]))
    address = _ADDRESS.fullmatch(target)
    if address is None:
        raise HeadRefused("A proxy wants the whole address, as in http://host/path.")
    _lengths(fields)
    host, port, path = address[1], int(address[2] or 80), address[3] or b"/"
    path = path if path.startswith(b"/") else b"/" + path
    named = {
        option.strip().lower()
        for name, value in fields
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    kept = [
        b"%s: %s" % (name, value)
        for name, value in fields
        if name.lower() not in _OURS and name.lower() not in named - {b"content-length", b"transfer-encoding"}
    ]
    authority = host if port == 80 else b"%s:%d" % (host, port)
    start = b"%s %s HTTP/1.%s" % (method, path.partition(b"#")[0], minor)
    whole = [start, b"Host: " + authority, *kept, b"Connection: close", b"", b""]
    return Asked(host.decode(), port, b"\r\n".join(whole))


def answer(status: int, reason: str) -> bytes:
    """A whole answer, with the reason in its first line too: clients of a tunnel show no more than that."""
    text = reason.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")[:400]
    body = text + b"\n"
    return (
        b"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        % (status, text, len(body))
        + body
    )


def _field(line: bytes) -> tuple[bytes, bytes]:
    field = _FIELD.fullmatch(line)
    if field is None:
        raise HeadRefused("A line of the header is malformed.")
    return field[1], field[2].rstrip(b" \t")


def _lengths(fields: list[tuple[bytes, bytes]]) -> None:
    """Refuse what two readers could see the end of in two places."""
    names = [name.lower() for name, _ in fields]
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    if len(lengths) > 1 or any(re.fullmatch(rb"[0-9]{1,18}", each) is None for each in lengths):
        raise HeadRefused("Content-Length is said twice, or is no number.")
    codings = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    if codings and (lengths or codings != [b"chunked"]):
        raise HeadRefused("Transfer-Encoding is not chunked alone.")
    if names.count(b"host") > 1:
        raise HeadRefused("Host is said twice.")
