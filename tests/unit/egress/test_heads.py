"""The first request on a connection from a sandbox, all of which is hostile."""

import pytest

from qflow_runner.egress.heads import Asked, HeadRefused, answer, asked


def test_a_tunnel() -> None:
    assert Asked("api.example.org", 443) == asked(b"CONNECT api.example.org:443 HTTP/1.1\r\nHost: other:1")


def test_a_plain_request_is_sent_on_with_a_head_of_our_own() -> None:
    """The host is that of the address, whatever the header says, and the connection ends with the answer."""
    head = (
        b"POST http://api.example.org:8080/a?b=%20c HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: x\r\n"
        b"Proxy-Connection: keep-alive\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nUpgrade: h2c\r\nTE: trailers\r\n"
        b"Content-Length: 3\r\nX-Kept:  yes "
    )

    assert asked(head) == Asked(
        "api.example.org",
        8080,
        b"POST /a?b=%20c HTTP/1.1\r\nHost: api.example.org:8080\r\nContent-Length: 3\r\nX-Kept: yes\r\n"
        b"Connection: close\r\n\r\n",
    )


def test_the_path_may_be_missing() -> None:
    assert (asked(b"GET http://a.example HTTP/1.0").forward or b"").startswith(
        b"GET / HTTP/1.0\r\nHost: a.example\r\n"
    )
    assert (asked(b"GET http://a.example?q HTTP/1.1").forward or b"").startswith(b"GET /?q HTTP/1.1\r\n")


def test_a_header_that_says_how_long_the_body_is_cannot_be_hidden() -> None:
    """Connection must not name it away: then this side and the host would see different requests."""
    head = b"POST http://a.example/ HTTP/1.1\r\nConnection: Content-Length\r\nContent-Length: 5"

    assert b"Content-Length: 5" in (asked(head).forward or b"")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x00" * 50,
        b"GET / HTTP/1.1\r\nHost: a.example",
        b"GET https://a.example/ HTTP/1.1",
        b"GET ftp://a.example/ HTTP/1.1",
        b"GET http://a.example/ HTTP/2.0",
        b"GET http://a.example/ HTTP/1.1 ",
        b"GET  http://a.example/ HTTP/1.1",
        b"GET http://user:pass@a.example/ HTTP/1.1",
        b"GET http://a.example\\@b.example/ HTTP/1.1",
        b"GET http://a.example:80:90/ HTTP/1.1",
        b"GET http://[::1]/ HTTP/1.1",
        b"GET http:///path HTTP/1.1",
        b"GET http://a.example/\x7f HTTP/1.1",
        b"GET http://a.example/a b HTTP/1.1",
        b"CONNECT a.example HTTP/1.1",
        b"CONNECT a.example:443/ HTTP/1.1",
        b"CONNECT [::1]:443 HTTP/1.1",
        b"CONNECT user@a.example:443 HTTP/1.1",
        b"CONNECT http://a.example:443 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET http://a.example/ HTTP/1.1\nX: 1",
        b"GET http://a.example/ HTTP/1.1\r\nX: 1\nHost: b",
        b"GET http://a.example/ HTTP/1.1\r\n folded: 1",
        b"GET http://a.example/ HTTP/1.1\r\nX: 1\r\n folded",
        b"GET http://a.example/ HTTP/1.1\r\nX : 1",
        b"GET http://a.example/ HTTP/1.1\r\n: 1",
        b"GET http://a.example/ HTTP/1.1\r\nX: \x00",
        b"GET http://a.example/ HTTP/1.1\r\nX: a\rb",
        b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: xchunked",
        b"POST http://a.example/ HTTP/1.1\r\nContent-Length: +1",
        b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 1, 1",
        b"GET http://a.example/ HTTP/1.1\r\nHost: a\r\nHost: b",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(head: bytes) -> None:
    with pytest.raises(HeadRefused):
        asked(head)


def test_the_reason_stands_in_the_first_line_and_breaks_none() -> None:
    """A client of a tunnel shows no more than that line."""
    said = answer(403, "x:1 is not\r\nX-Injected: listed ü")

    assert said.startswith(b"HTTP/1.1 403 x:1 is not  X-Injected: listed ?\r\nContent-Type")
    assert b"\nX-Injected" not in said
