"""The limits for one client: bytes, headers, connections and time."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from contextlib import ExitStack, closing
from typing import Any

import pytest

from rollbook.web.http import open_connections
from rollbook.web.http.open_connections import network
from rollbook.web.http.protocol import CHUNKS_MAX, Protocol
from tests.journeys.hub import Hub
from tests.web.wire import PATIENCE_SECONDS, answers, pieces, read_all, serving

GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_ROOM = (503, "The server has too many connections; try again.")
TOO_LONG = (431, "The path and headers of a request have at most 2048 bytes.")


@pytest.mark.parametrize("size", [16, 5000], ids=["many segments", "one segment"])
@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"GET /", b"a"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"a"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n"),
        (b"GET /?", b"%41"),
    ],
    ids=["path", "header", "headers", "query"],
)
def test_a_head_without_end_is_refused(head: bytes, rest: bytes, size: int) -> None:
    with serving(head_bytes_max=2048) as wire:
        assert wire.say(*pieces(head + rest * 5000, size)[:200]) == [TOO_LONG]
        assert wire.say(*pieces(GET + head + rest * 5000, size)[:200]) == [(200, "/next <>"), TOO_LONG]


def test_a_head_as_long_as_may_be_is_read() -> None:
    with serving(head_bytes_max=2048) as wire:
        fitting = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (2048 - 32) + b"\r\n\r\n"
        assert len(fitting) == 2048
        assert wire.say(fitting) == [(200, "/ <>")]
        assert wire.say(fitting.replace(b"X: ", b"X: a")) == [TOO_LONG]


@pytest.mark.parametrize("rest", [b"5;", b"0\r\nX: "], ids=["extension", "trailer"])
def test_bytes_between_the_chunks_of_a_body_are_limited(rest: bytes) -> None:
    with serving(head_bytes_max=2048) as wire:
        assert [status for status, _ in wire.say(CHUNKED, rest, *[b"a" * 1000] * 10)] == [431]
        assert wire.read == []


@pytest.mark.parametrize("size", [1000, 10**6], ids=["many segments", "one segment"])
def test_a_body_has_no_more_chunks_than_its_bound(size: int) -> None:
    with serving() as wire:
        fitting = b"1\r\na\r\n" * CHUNKS_MAX
        said = wire.say(*pieces(CHUNKED + fitting + b"0\r\n\r\n" + GET, size))
        assert said == [(200, f"/form <{'a' * CHUNKS_MAX}>"), (200, "/next <>")]
        said = wire.say(*pieces(CHUNKED + fitting + b"1\r\na\r\n" + b"0\r\n\r\n" + GET, size))
        assert said == [(413, f"A body has at most {CHUNKS_MAX} chunks.")]


@pytest.mark.parametrize("size", [1, 3, 7, 10**6])
@pytest.mark.parametrize("content", [b"\r\n", b"0\r\n\r\n", b"0\r\nX: a\r\n\r\n", b"3\r\nabc\r\n"])
def test_content_like_the_end_of_a_body_is_content(content: bytes, size: int) -> None:
    """The same bytes stand before, within and after the chunk; each is read as what it is."""
    body = content * 20
    message = (
        CHUNKED
        + b"00%X;a=b\r\n" % len(body)
        + body
        + b"\r\n%x\r\n" % len(body)
        + body
        + b"\r\n000;c\r\nX: a\r\n\r\n"
    )
    with serving() as wire:
        assert [status for status, _ in wire.say(*pieces(message + GET, size))] == [200, 200]
        assert wire.read == [("POST", "/form", body * 2), ("GET", "/next", b"")]


@pytest.mark.parametrize(
    "request_bytes",
    [
        CHUNKED + b"10000\r\n" + b"\r\n" * 0x8000 + b"\r\n0\r\n\r\n",
        CHUNKED + b"10000\r\n" + b"0\r\n\r\n" * 0x3333 + b"a\r\n0\r\n\r\n",
        CHUNKED + b"1\r\na\r\n" * 1000 + b"0\r\n\r\n",
        b"\r\n" * 10_000 + GET,
    ],
    ids=["a chunk of line ends", "a chunk of last chunks", "small chunks", "empty lines"],
)
def test_no_bytes_make_many_pieces(request_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a segment does not grow with its line ends."""
    parsed: list[int] = []
    parse = Protocol._parse

    def noted(self: Protocol, piece: bytes) -> None:
        parsed.append(len(piece))
        parse(self, piece)

    monkeypatch.setattr(Protocol, "_parse", noted)
    with serving() as wire:
        assert [status for status, _ in wire.say(request_bytes)] == [200]
    assert len(parsed) < 50


def test_too_many_headers_are_refused() -> None:
    with serving(headers_max=10) as wire:
        assert wire.say(GET.replace(b"\r\n\r\n", b"\r\nX: a" * 9 + b"\r\n\r\n")) == [(200, "/next <>")]
        assert wire.say(GET.replace(b"\r\n\r\n", b"\r\nX: a" * 10 + b"\r\n\r\n")) == [
            (431, "A request has at most 10 headers.")
        ]


def test_a_long_body_in_many_pieces_is_no_long_head() -> None:
    with serving(head_bytes_max=2048) as wire:
        body = b"".join(b"400\r\n" + b"a" * 1024 + b"\r\n" for _ in range(100)) + b"0\r\n\r\n"
        for size in (1000, 4096, 200_000):
            assert wire.say(*pieces(CHUNKED + body, size)) == [(200, f"/form <{'a' * 102_400}>")]


@pytest.mark.parametrize(
    ("bound", "sent"),
    [
        ("head_seconds", b""),
        ("head_seconds", b"GET / HT"),
        ("head_seconds", GET + b"GET / HT"),
        ("body_seconds", CHUNKED + b"3\r\nab"),
        ("body_seconds", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"),
        ("idle_seconds", GET),
    ],
)
def test_a_client_that_lets_the_server_wait_is_cut_off(bound: str, sent: bytes) -> None:
    with serving(**{bound: 1}) as wire, closing(wire.connect()) as connection:
        connection.sendall(sent)
        told = answers(read_all(connection))
    assert told == ([(200, "/next <>")] if sent.startswith(GET) else [])


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nX: ", CHUNKED], ids=["head", "body"])
def test_a_client_that_sends_byte_by_byte_is_cut_off(sent: bytes) -> None:
    """A single byte does not restart the time."""
    with serving(head_seconds=1, body_seconds=1) as wire, closing(wire.connect()) as connection:
        connection.sendall(sent)
        ended = threading.Event()

        def read() -> None:
            read_all(connection)
            ended.set()

        reader = threading.Thread(target=read)
        reader.start()
        while not ended.wait(0.05):
            try:
                connection.sendall(b"1\r\na\r\n" if sent is CHUNKED else b"a")
            except OSError:
                break
        reader.join(PATIENCE_SECONDS)
        assert ended.is_set()


def test_requests_in_time_are_answered_however_long_the_connection_lasts() -> None:
    with (
        serving(head_seconds=1, body_seconds=1, idle_seconds=2) as wire,
        closing(wire.connect()) as connection,
    ):
        for _ in range(5):
            connection.sendall(GET)
            assert answers(connection.recv(65536)) == [(200, "/next <>")]
            time.sleep(0.7)


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    with serving(unread_seconds=1, head_seconds=60, idle_seconds=60) as wire:
        wire.answer = b"a" * 20_000_000
        with closing(wire.connect()) as connection:
            connection.sendall(GET)
            _wait_until(lambda: not wire.connections())
            wire.answer = None
            assert wire.say(GET) == [(200, "/next <>")]


def test_all_unread_answers_together_are_limited() -> None:
    with serving(unread_bytes_max=50_000_000) as wire, ExitStack() as stack:
        wire.answer = b"a" * 20_000_000
        for _ in range(10):
            stack.enter_context(closing(wire.connect())).sendall(GET)
        _wait_until(lambda: len(wire.read) == 10 and len(wire.connections()) < 5)


def test_a_client_that_reads_slowly_gets_its_whole_answer() -> None:
    with serving(unread_seconds=1) as wire, closing(wire.connect()) as connection:
        wire.answer = b"a" * 8_000_000
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        got = 0
        while more := connection.recv(65536):
            got += len(more)
            time.sleep(0.03)
        assert got > 8_000_000


def test_requests_sent_ahead_wait_outside_of_the_server() -> None:
    """The kernel's buffer is limited, too: when it is full, nothing more can be sent."""
    with serving() as wire, closing(wire.connect()) as connection:
        wire.answer = b"a" * 1000
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.sendall(GET * 1_000_000)
        assert sum(held.held_bytes() for held in wire.connections()) < 1_000_000
        wire.answer = None
        assert wire.say(GET) == [(200, "/next <>")]


@pytest.mark.parametrize(
    "sent", [b"", GET, b"GET / HT", CHUNKED], ids=["nothing", "a request", "half a head", "half a body"]
)
@pytest.mark.parametrize("bound", ["connections_max", "connections_address_max"])
def test_a_new_connection_takes_the_place_of_one_that_keeps_the_server_waiting(
    bound: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_connections, "SWEEP_SECONDS", 0.02)
    with serving(**{bound: 5}) as wire, ExitStack() as stack:
        opened = [stack.enter_context(closing(wire.connect())) for _ in range(5)]
        for connection in opened:
            connection.sendall(sent)
        _wait_until(lambda: wire.say(GET) == [(200, "/next <>")])
        if sent != GET:  # a client within a request learns that it may try again
            ended = select.select(opened, [], [], PATIENCE_SECONDS)[0][0]
            assert answers(read_all(ended)) == ([NO_ROOM] if sent else [])


@pytest.mark.parametrize("bound", ["connections_max", "connections_address_max"])
def test_each_request_of_a_crowd_has_an_answer(bound: str) -> None:
    """All connections are open before the first request comes. Those with room get what they ask for, the others 503."""
    with serving(**{bound: 20}) as wire, ExitStack() as stack:
        crowd = [stack.enter_context(closing(wire.connect())) for _ in range(60)]
        _wait_until(lambda: len(wire.connections()) == 60)
        for segment in (GET[:9], GET[9:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")):
            for connection in crowd:
                connection.sendall(segment)
        got = [read_all(connection) for connection in crowd]
        told = [answers(each) for each in got]
        assert sorted(told) == [[(200, "/next <>")]] * 20 + [[NO_ROOM]] * 40
        assert sum(b"\r\nretry-after: 1\r\n" in each for each in got) == 40
        assert wire.say(GET) == [(200, "/next <>")]


def test_those_without_room_that_send_nothing_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many may send a request at once. All others are refused without being heard."""
    monkeypatch.setattr(open_connections, "END_SECONDS", 1)
    monkeypatch.setattr(open_connections, "SEEN_OUT_MAX", 3)
    with serving(connections_max=2, head_seconds=60) as wire, ExitStack() as stack:
        silent = [stack.enter_context(closing(wire.connect())) for _ in range(7)]
        _wait_until(lambda: len(wire.connections()) >= 2)
        told = [answers(read_all(connection)) for connection in silent[2:]]
        assert told == [[]] * 3 + [[NO_ROOM]] * 2


def test_connections_that_wait_for_answers_are_not_cut_off_for_new_ones() -> None:
    with serving(connections_max=2) as wire, ExitStack() as stack:
        wire.pause.clear()
        waiting = [stack.enter_context(closing(wire.connect())) for _ in range(2)]
        for connection in waiting:
            connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        _wait_until(lambda: len(wire.read) == 2)
        assert wire.say(GET) == [NO_ROOM]
        wire.pause.set()
        assert [answers(read_all(connection)) for connection in waiting] == [[(200, "/next <>")]] * 2


def test_connections_of_one_address_leave_room_for_those_of_others() -> None:
    with serving(connections_max=6, connections_address_max=4) as wire, ExitStack() as stack:
        kept = stack.enter_context(closing(wire.connect(source="127.0.0.2")))
        for _ in range(20):
            stack.enter_context(closing(wire.connect()))
        kept.sendall(GET)
        assert answers(kept.recv(65536)) == [(200, "/next <>")]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_all_addresses_that_one_client_may_choose_count_as_one(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.mark.parametrize(
    "sent", [CHUNKED + b"3\r\nab", GET, b"GET / HT", b""], ids=["body", "idle", "head", "nothing"]
)
def test_a_stopped_server_ends_in_time(sent: bytes) -> None:
    with serving(stop_seconds=1) as wire:
        connection = wire.connect()
        connection.sendall(sent)
        _wait_until(lambda: len(wire.connections()) == 1)
    connection.close()  # `serving` has seen the server end


def test_a_stopped_server_answers_requests_in_progress() -> None:
    with serving(stop_seconds=PATIENCE_SECONDS) as wire:
        connection = wire.connect()
        connection.sendall(b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
        _wait_until(lambda: wire.begun == 1)
        threading.Timer(0.5, connection.sendall, [b"c"]).start()
    with closing(connection):
        assert answers(read_all(connection)) == [(200, "/form <abc>")]


@pytest.mark.parametrize("path", ["/oauth/tokens", "/userinfo", "/v3.0/users", "/login"])
def test_a_client_that_hangs_up_within_its_request_leaves_no_error(
    small_hub: Hub, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\na="
    with serving(small_hub.app()) as wire:
        for _ in range(3):
            with closing(wire.connect()) as connection:
                connection.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode() + form)
                _wait_until(wire.connections)
        _wait_until(lambda: not wire.connections())
    assert [line for line in caplog.records if line.levelno > logging.DEBUG] == []


def _wait_until(is_so: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.01)
