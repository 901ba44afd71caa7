"""Any bytes: each request is answered as HTTP says, or refused.

Nothing fails inside, and the server goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journeys.hub import Hub
from tests.web.wire import Wire, serving

NEXT = b"GET /v3.0/users HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
# Bytes with a meaning for a parser of heads, besides all others.
TELLING = st.sampled_from(
    [
        b"\r\n",
        b"\r",
        b"\n",
        b":",
        b" ",
        b"\t",
        b"\0",
        b"\x80",
        b"\xff",
        b";",
        b",",
        b"%",
        b"%00",
        b"%zz",
        b"[",
        b"a",
    ]
)
TEXT = st.lists(TELLING | st.binary(min_size=1, max_size=3), max_size=12).map(b"".join)
NAMES = st.sampled_from(
    [
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"Upgrade",
        b"Host",
        b"Authorization",
        b"Expect",
        b"Cookie",
        b"If-None-Match",
        b"Accept-Encoding",
        b"Content-Type",
        b"Forwarded",
    ]
)
VALUES = st.sampled_from(
    [
        b"chunked",
        b"0",
        b"5",
        b"upgrade, close",
        b"h2c",
        b"100-continue",
        b"Bearer x",
        b"Basic Og==",
        b"gzip;q=0",
        b'W/"a',
        b"close",
    ]
)
HEADERS = st.lists(st.tuples(NAMES | TEXT, VALUES | TEXT).map(b": ".join), max_size=4)
METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT"]) | TEXT
PATHS = st.sampled_from([b"/v3.0/users", b"/oauth/tokens", b"/login", b"/oauth/authorize", b"/v3.0/events"])
TARGETS = st.tuples(
    PATHS, st.just(b"") | st.just(b"?") | TEXT.map(lambda text: b"?limit=" + text), TEXT | st.just(b"")
).map(b"".join)


@pytest.fixture(scope="module")
def server(town: Hub) -> Iterator[Wire]:
    with serving(town.app(trusted_proxies="127.0.0.1")) as wire:
        yield wire


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(METHODS, TARGETS, HEADERS, TEXT)
def test_any_request_is_answered_or_refused(
    server: Wire,
    caplog: pytest.LogCaptureFixture,
    method: bytes,
    target: bytes,
    headers: list[bytes],
    body: bytes,
) -> None:
    caplog.clear()
    request = (
        b" ".join((method, target, b"HTTP/1.1"))
        + b"\r\n"
        + b"\r\n".join((b"Host: a", *headers))
        + b"\r\n\r\n"
        + body
    )
    statuses = server.statuses(request)
    assert all(200 <= status < 500 or status in (501, 505) for status in statuses), statuses
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
    assert server.statuses(NEXT) == [401]
