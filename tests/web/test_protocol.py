"""Requests as bytes: no byte of one request is read as part of another, whatever its head says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.wire import Wire, pieces, serving

# If a body were lost, this would be read as a request of its own.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADES = {
    "h2c": (
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
    ),
    "websocket": (
        b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
        b"x3JJHMbDL1EzLkh9GBhXDw==\r\n"
    ),
    "several": b"Upgrade: h2c\r\nConnection: Upgrade\r\nUpgrade: websocket, TLS/1.0\r\n",
    "none": b"Connection: Upgrade\r\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Wire]:
    with serving() as wire:
        yield wire


@pytest.fixture
def wire(server: Wire) -> Wire:
    server.read.clear()
    server.headers.clear()
    return server


def post(headers: bytes, body: bytes, *, chunked: bool) -> tuple[bytes, bytes]:
    """The head and the body of a POST, with the headers that its body needs."""
    if chunked:
        headers += b"Transfer-Encoding: chunked\r\n"
        body = b"5\r\n" + body[:5] + b"\r\n%x;note=1\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\n\r\n"
    else:
        headers += b"Content-Length: %d\r\n" % len(body)
    return b"POST /form HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n", body


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("parts", ["one segment", "head and body", "byte by byte", "in the blank line"])
def test_an_upgrade_is_ignored_and_the_body_is_read(
    wire: Wire, upgrade: bytes, parts: str, chunked: bool
) -> None:
    head, body = post(upgrade, HIDDEN, chunked=chunked)
    segments = {
        "one segment": [head + body + NEXT],
        "head and body": [head, body, NEXT],
        "byte by byte": pieces(head + body + NEXT, 1),
        "in the blank line": [head[:-1], head[-1:] + body[:-1], body[-1:] + NEXT],
    }[parts]
    assert wire.say(*segments) == [(200, f"/form <{HIDDEN.decode()}>"), (200, "/next <>")]
    assert wire.read == [("POST", "/form", HIDDEN), ("GET", "/next", b"")]


def test_upgrades_without_a_body_are_answered_in_their_order(wire: Wire) -> None:
    many = b"".join(
        b"GET /%d HTTP/1.1\r\nHost: a\r\n%s\r\n" % (number, UPGRADES["h2c"]) for number in range(50)
    )
    assert wire.say(many) == [(200, f"/{number} <>") for number in range(50)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pipelined_requests_are_answered_in_their_order(wire: Wire, size: int) -> None:
    head, body = post(b"", HIDDEN, chunked=True)
    again, other = post(b"", HIDDEN, chunked=False)
    said = wire.say(*pieces(NEXT + head + body + NEXT + again + other + NEXT, size))
    form, after = (200, f"/form <{HIDDEN.decode()}>"), (200, "/next <>")
    assert said == [after, form, after, form, after]


def test_a_trailer_is_no_header(wire: Wire) -> None:
    head, _ = post(b"", HIDDEN, chunked=True)
    assert wire.say(head + b"3\r\nabc\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n" + NEXT) == [
        (200, "/form <abc>"),
        (200, "/next <>"),
    ]
    assert b"authorization" not in wire.headers[0]


HOST = b"Host: a\r\n"
TWICE = {
    "two lengths": HOST + b"Content-Length: 0\r\nContent-Length: %d\r\n",
    "two equal lengths": HOST + b"Content-Length: %d\r\nContent-Length: %d\r\n",
    "lengths in one header": HOST + b"Content-Length: %d, %d\r\n",
    "length and chunked": HOST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
    "chunked and length": HOST + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n",
    "chunked twice": HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunked, chunked": HOST + b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked, then identity": HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "identity": HOST + b"Transfer-Encoding: identity\r\n",
    "gzip, chunked": HOST + b"Transfer-Encoding: gzip, chunked\r\n",
    "xchunked": HOST + b"Transfer-Encoding: xchunked\r\n",
    "chunked with a parameter": HOST + b"Transfer-Encoding: chunked;q=1\r\n",
    "chunked after a vertical tab": HOST + b"Transfer-Encoding: \x0bchunked\r\n",
    "an empty transfer-encoding": HOST + b"Transfer-Encoding:\r\n",
    "a space before the colon": HOST + b"Content-Length : %d\r\n",
    "a folded line": HOST + b"X: 1\r\n Content-Length: %d\r\n",
    "a first line that is folded": b" Content-Length: %d\r\n" + HOST,
    "a bare LF": HOST + b"X: 1\nContent-Length: %d\r\n",
    "a bare CR": HOST + b"X: 1\rContent-Length: %d\r\n",
    "a NUL": HOST + b"X: 1\x00\r\nContent-Length: %d\r\n",
    "a negative length": HOST + b"Content-Length: -%d\r\n",
    "a length with a plus": HOST + b"Content-Length: +%d\r\n",
    "a hexadecimal length": HOST + b"Content-Length: 0x%d\r\n",
    "a length beyond 64 bits": HOST + b"Content-Length: 18446744073709551616\r\n",
    "a length without end": HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n",
    "an empty length": HOST + b"Content-Length:\r\n",
    "two hosts": HOST + HOST + b"Content-Length: %d\r\n",
    "no host": b"Content-Length: %d\r\n",
    "two authorizations": HOST
    + b"Authorization: Bearer a\r\nauthorization: Basic b\r\nContent-Length: %d\r\n",
}


@pytest.mark.parametrize("upgrade", [b"", UPGRADES["h2c"]], ids=["plain", "h2c"])
@pytest.mark.parametrize("headers", TWICE.values(), ids=TWICE)
def test_a_head_with_two_readings_is_refused_and_nothing_after_it_is_read(
    wire: Wire, headers: bytes, upgrade: bytes
) -> None:
    body = b"0\r\n\r\n" + HIDDEN
    request = (
        b"POST /form HTTP/1.1\r\n"
        + headers.replace(b"%d", b"%d" % len(body))
        + upgrade
        + b"\r\n"
        + body
        + NEXT
    )
    [(status, _)] = wire.say(request)
    assert status in (400, 501)
    assert wire.read == []


BODIES = {
    "a bare LF after the size": b"3\nabc\r\n0\r\n\r\n",
    "a size in 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "a space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "a line break in an extension": b'3;a="\n"\r\nabc\r\n0\r\n\r\n',
    "a trailer without a name": b"3\r\nabc\r\n0\r\n: x\r\n\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_chunked_body_against_the_rules_is_refused_and_nothing_after_it_is_read(
    wire: Wire, body: bytes
) -> None:
    head, _ = post(b"", HIDDEN, chunked=True)
    assert [status for status, _ in wire.say(head + body + NEXT)] == [400]
    assert wire.read == []


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        (b"CONNECT a:443 HTTP/1.1", (501, "This server is no proxy: CONNECT is not supported.")),
        (b"GET / HTTP/2.0", (505, "This server speaks HTTP/1.1, not HTTP/2.0.")),
        (b"GET /", (505, "This server speaks HTTP/1.1, not HTTP/0.9.")),
        (b"PRI * HTTP/2.0", (400, "The request is not valid HTTP/1.1.")),
        (b"GET http://[ HTTP/1.1", (400, "The request is not valid HTTP/1.1.")),
    ],
)
def test_a_request_line_of_another_protocol_is_refused(
    wire: Wire, request_line: bytes, expected: tuple[int, str]
) -> None:
    assert wire.say(request_line + b"\r\nHost: a\r\n\r\n" + NEXT) == [expected]
    assert wire.read == []


def test_an_old_client_sends_a_length_but_no_chunks(wire: Wire) -> None:
    assert wire.say(b"POST /old HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc") == [(200, "/old <abc>")]
    said = wire.say(b"POST /old HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert said == [(400, "HTTP/1.0 has no transfer-encoding.")]


def test_nothing_is_read_after_a_request_that_closes(wire: Wire) -> None:
    assert wire.say(b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + NEXT) == [
        (200, "/last <>")
    ]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_beyond_its_bound_is_refused(wire: Wire, chunked: bool) -> None:
    head, body = post(b"", b"a" * (1024 * 1024 + 1), chunked=chunked)
    assert wire.say(head + body) == [(413, "A body has at most 1048576 bytes.")]
    assert wire.read == []


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b=c", b"a\nb", b"a\0b", b"a\x7fb"])
def test_no_header_of_an_answer_can_begin_another_one(wire: Wire, value: bytes) -> None:
    wire.more = [(b"x-said", value)]
    try:
        assert wire.statuses(NEXT) == [500]
        wire.more = [(b"x-said", b"a\tb \xff")]
        assert wire.statuses(NEXT) == [200]
    finally:
        wire.more = []
