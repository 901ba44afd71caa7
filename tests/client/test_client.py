"""The client against a stub server: pages, waits, retries, and every kind of error."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator

import pytest

from rollbook.client import (
    AnswerTooLarge,
    BadArgument,
    BadRequest,
    Client,
    ClientError,
    Course,
    Forbidden,
    NoAnswer,
    NotFound,
    RateLimited,
    Resource,
    ServerFailed,
    TooLarge,
    Unauthorized,
    UnexpectedAnswer,
    User,
)
from tests.client.asking import BOTH, Asking, Waits
from tests.clone import stub
from tests.clone.stub import TOKEN, Reply, Stub

JSON = {"content-type": "application/json", "x-request-id": "r-1"}


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub.serving(stub.springfield()) as opened:
        yield opened


@pytest.fixture(params=BOTH)
def ask(request: pytest.FixtureRequest) -> Asking:
    return BOTH[request.param]


def once(*replies: Reply) -> Callable[[int, str], Reply | None]:
    """Answer the first requests with these replies, and the others as usual."""
    return lambda number, _: replies[number] if number < len(replies) else None


def test_a_list_is_followed_to_its_end_in_the_largest_pages_that_the_server_gives(
    server: Stub, ask: Asking
) -> None:
    server.limit_max = 3
    assert len(ask(server.address, TOKEN, "records", User, limit=3)) == 8
    assert len(server.requests) == 3
    server.limit_max, server.requests = 1_000, []
    with Client(server.address, TOKEN) as client:
        assert len([*client.records(User)]) == len([*client.records(User)]) == 8
    assert [path.partition("limit=")[2] for path in server.requests] == ["10000", "1000", "1000"]


def test_what_a_parameter_does_wrong_makes_no_page_smaller(server: Stub) -> None:
    server.answer = lambda number, _: (
        Reply(400, b'{"message": "role: expected one"}', JSON) if number < 3 else None
    )
    with Client(server.address, TOKEN) as client:
        with pytest.raises(BadRequest):
            [*client.records(User, role="x")]
        assert len([*client.records(User)]) == 8
    assert "limit=10000" in server.requests[-1]


def test_an_empty_list_of_resources_may_have_another_key(server: Stub, ask: Asking) -> None:
    server.answer = lambda *_: Reply(200, b'{"resources": []}', JSON)
    assert ask(server.address, TOKEN, "records", Resource) == []


def test_records_keep_absent_and_blank_apart_and_ignore_what_they_do_not_know(
    server: Stub, ask: Asking
) -> None:
    server.put("courses", '{"id": "5e00000000000000000000ff", "name": "", "color": "red"}')
    found = {course.id[-2:]: course for course in ask(server.address, TOKEN, "records", Course)}
    assert found["ff"] == Course(id="5e00000000000000000000ff", name="", number=None)


# --- waits and tries


def test_after_429_the_client_waits_until_the_window_ends(server: Stub, ask: Asking) -> None:
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 20)}
    server.answer = once(Reply(429, b"", reset), Reply(429, b"", {"retry-after": "7"}))
    waits = Waits()
    assert ask(server.address, TOKEN, "count", User, waits=waits) == 8
    assert 15 < waits[0] <= 20.5
    assert waits[1:] == [7.0]


def test_a_window_that_is_used_up_is_waited_out_before_the_next_request(server: Stub) -> None:
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(time.time() + 1_000), **JSON}
    server.answer = once(Reply(200, b'{"count": 5}', reset))
    waits = Waits()
    with Client(server.address, TOKEN, sleep=waits.sleep) as client:
        assert (client.count(User), client.count(User)) == (5, 8)
    assert waits == [90.0], "a clock that differs must not stop the program for long"


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500),
        Reply(502),
        Reply(503),
        Reply(503, b"", {"x-ratelimit-reset": "soon"}),
        Reply(200, b"x" * 50, is_cut=True),
    ],
    ids=["500", "502", "503", "odd header", "dropped"],
)
def test_a_passing_trouble_is_tried_again_after_longer_and_longer_waits(
    server: Stub, ask: Asking, trouble: Reply
) -> None:
    server.answer = once(trouble, trouble, trouble)
    waits = Waits()
    assert ask(server.address, TOKEN, "count", User, waits=waits) == 8
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("trouble", "error", "tries"),
    [
        (Reply(500, b'{"message": "oh"}', JSON), ServerFailed, 6),
        (Reply(501), ServerFailed, 1),
        (Reply(429), RateLimited, 6),
        (Reply(400, b'{"error": "oh"}', JSON), BadRequest, 1),
        (Reply(401), Unauthorized, 1),
        (Reply(403), Forbidden, 1),
        (Reply(404, b"<html>"), NotFound, 1),
        (Reply(413), TooLarge, 1),
        (Reply(200, b"x" * 50, is_cut=True), NoAnswer, 6),
        (Reply(200, b"<html>", {"content-type": "text/html"}), UnexpectedAnswer, 1),
        (Reply(200, b'{"count": "many"}', JSON), UnexpectedAnswer, 1),
        (Reply(302, b"", {"location": "http://other.example/"}), ClientError, 1),
    ],
    ids=lambda value: str(getattr(value, "status", "")) or None,
)
def test_no_error_is_hidden(
    server: Stub, ask: Asking, trouble: Reply, error: type[ClientError], tries: int
) -> None:
    server.answer = lambda *_: trouble
    with pytest.raises(error) as raised:
        ask(server.address, TOKEN, "count", User)
    assert len(server.requests) == tries
    told = raised.value
    assert told.path == "/v3.0/users?count=true"
    assert told.status == (None if error is NoAnswer else trouble.status)
    assert told.message
    assert TOKEN not in str(told)
    if trouble.headers is JSON and trouble.status != 200:
        assert (told.message, told.request_id) == ("oh", "r-1")
        assert str(told) == f"/v3.0/users?count=true: {trouble.status} oh (request r-1)"


def test_a_server_that_is_not_there_is_told_with_its_address(ask: Asking) -> None:
    with pytest.raises(NoAnswer, match=r"http://127\.0\.0\.1:1 gave no answer: ConnectError"):
        ask("http://127.0.0.1:1", TOKEN, "count", User)


@pytest.mark.parametrize("headers", [JSON, {**JSON, "content-encoding": "gzip"}])
def test_an_answer_without_end_is_cut_off_and_not_asked_for_again(
    server: Stub, ask: Asking, headers: dict[str, str]
) -> None:
    asked: list[object] = []
    body = b" " * 3_000_000

    def answer(*request: object) -> Reply:
        asked.append(request)
        return Reply(200, gzip.compress(body) if "content-encoding" in headers else body, headers)

    server.answer = answer
    with pytest.raises(AnswerTooLarge, match=r"larger than 1,000,000 bytes.* smaller page_size") as raised:
        ask(server.address, TOKEN, "count", User, bound=1_000_000)
    assert raised.value.status == 200
    assert len(asked) == 1


def test_a_bound_that_takes_no_byte_is_refused() -> None:
    with pytest.raises(BadArgument, match="answer_bytes_max: expected 1 or more, got 0"):
        Client("http://127.0.0.1", TOKEN, answer_bytes_max=0)


# --- addresses


def test_a_token_follows_no_link_to_another_host(server: Stub, ask: Asking) -> None:
    server.links_to = "http://other.example"
    with pytest.raises(UnexpectedAnswer, match="another host"):
        ask(server.address, TOKEN, "records", User, limit=2)


@pytest.mark.parametrize("link", ["/v3.0/users?limit=1", "users?limit=2"])
def test_a_list_that_leads_nowhere_is_an_error(server: Stub, ask: Asking, link: str) -> None:
    body = '{"data": [{"data": {"id": "a"}}], "links": [{"rel": "next", "uri": "%s"}]}'
    server.answer = lambda *_: Reply(200, (body % link).encode(), JSON)
    with pytest.raises(UnexpectedAnswer, match="next"):
        ask(server.address, TOKEN, "records", User, limit=1)


@pytest.mark.parametrize(
    "base", ["", "api.example.org", "ftp://a.example", "http://", "http://a:b", "http://u@h"]
)
def test_an_address_that_cannot_be_one_is_refused_before_anything_is_sent(base: str) -> None:
    with pytest.raises(BadArgument, match="base_url: expected an address such as"):
        Client(base, TOKEN)


@pytest.mark.parametrize("token", ["", " ", "a\nb", "ä"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(BadArgument, match="token: expected"):
        Client("http://127.0.0.1", token)


def test_a_size_below_one_and_an_empty_id_are_refused(server: Stub, ask: Asking) -> None:
    with pytest.raises(BadArgument, match="page_size: expected 1 or more, got 0"):
        Client(server.address, TOKEN, page_size=0)
    with pytest.raises(BadArgument, match="the id of a record"):
        ask(server.address, TOKEN, "record", User, "")
    assert server.requests == []


def test_the_version_may_stand_in_the_address_and_an_id_stays_within_its_path(server: Stub) -> None:
    with Client(f"{server.address}/v3.0/", TOKEN) as client, pytest.raises(ClientError):
        client.record(User, "../../me?x")
    assert server.requests == ["/v3.0/users/..%2F..%2Fme%3Fx"]
