"""A hostile source, over real sockets: it drips, floods, sends links in circles and elsewhere.

Each is reported in one line.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from rollbook.clone import pull, remote
from rollbook.clone.remote import Remote
from rollbook.errors import RemoteTrouble
from tests.auth.hostile import Hostile, drip, hostile, ok
from tests.clone.conftest import Copy
from tests.clone.stub import Reply, Stub, id_of

PATH = "/v3.0/users"
JSON = {"content-type": "application/json"}


@pytest.fixture
def service() -> Iterator[Hostile]:
    with hostile() as made:
        yield made


def trouble(service: Hostile, waits: list[float], path: str = PATH) -> str:
    asking = Remote(service.address, "token", wait=waits.append)
    try:
        with pytest.raises(RemoteTrouble) as caught:
            asking.page(path)
    finally:
        asking.close()
    return str(caught.value)


SLOW = {
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "body": drip(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{", b" "),
}


@pytest.mark.parametrize("what", SLOW)
def test_an_answer_that_drips_ends_at_the_deadline(
    service: Hostile, waits: list[float], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.3)
    service.answers[PATH] = SLOW[what]
    assert "the connection broke: " in trouble(service, waits)
    assert waits == [1, 2, 4, 8, 16]


def test_an_answer_that_unpacks_without_end_is_not_held(
    service: Hostile, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ANSWER_BYTES_MAX", 1_000_000)
    service.answers[PATH] = ok(gzip.compress(b" " * 50_000_000), "content-encoding: gzip")
    assert "/v3.0/users: the answer is larger than 1,000,000 bytes" in trouble(service, waits)
    assert waits == []


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(
    service: Hostile, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ANSWER_BYTES_MAX", 1_000)
    large, small = ok(b'{"data":[' + b" " * 2_000 + b"]}"), ok(b'{"data":[]}')
    service.answers |= {f"{PATH}?limit=10000": large, f"{PATH}?limit=1000": large, f"{PATH}?limit=100": small}
    asking = Remote(service.address, "token", wait=waits.append)
    assert asking.first_page(PATH).records == []
    asking.close()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000 + b"]" * 200_000,
        b'{"data":[{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}",
        b'{"data":[],"count":' + b"9" * 10_000 + b"}",
        b'{"data":[],"links":[{"rel":"next","uri":7}]}',
    ],
)
def test_json_that_is_nested_or_long_without_end_is_told_in_words(
    service: Hostile, waits: list[float], body: bytes
) -> None:
    service.answers[PATH] = ok(body)
    found = trouble(service, waits)
    assert "JSON that cannot be read" in found or "does not have the form of this API" in found


@pytest.mark.parametrize("reset", ["nan", "inf", "-inf", "1e999", "9" * 5000])
def test_a_window_that_ends_at_no_moment_makes_nobody_wait(
    service: Hostile, waits: list[float], reset: str
) -> None:
    service.answers[PATH] = ok(b'{"data":[]}', "x-ratelimit-remaining: 0", f"x-ratelimit-reset: {reset}")
    asking = Remote(service.address, "token", wait=waits.append)
    assert [asking.page(PATH).records for _ in range(2)] == [[], []]
    asking.close()
    assert waits == []


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:1/", "/v3.0/elsewhere", "file:///etc/passwd", "http://169.254.169.254/"]
)
def test_a_redirect_is_never_followed(service: Hostile, waits: list[float], location: str) -> None:
    service.answers[PATH] = (
        f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()
    )
    assert "answered with a redirect (302)" in trouble(service, waits)
    assert service.asked == [PATH]


def test_a_list_without_end_is_left(clone: Copy, source: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "RECORDS_MAX", 50)

    def endless(number: int, path: str) -> Reply | None:
        if "/terms?" not in path or "count" in path:
            return None
        links = [{"rel": "next", "uri": f"/v3.0/terms?limit=1&starting_after={id_of(number)}"}]
        return Reply(
            200, json.dumps({"data": [{"data": {"id": id_of(number)}}], "links": links}).encode(), JSON
        )

    source.answer = endless
    with pytest.raises(RemoteTrouble, match="terms has more than 50 records, and goes on"):
        clone()


def test_courses_of_a_resource_without_end_are_left(
    clone: Copy, source: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "RELATED_MAX", 50)

    def endless(number: int, path: str) -> Reply | None:
        if "/resources/" not in path:
            return None
        links = [{"rel": "next", "uri": f"{path.partition('?')[0]}?starting_after={id_of(number)}"}]
        return Reply(
            200, json.dumps({"data": [{"data": {"id": id_of(number)}}], "links": links}).encode(), JSON
        )

    source.answer = endless
    with pytest.raises(RemoteTrouble, match="has more than 50 courses, and goes on"):
        clone()


@pytest.mark.parametrize("id_", ["x" * 1_000_000, 10**400, "5E" * 12, "\u202e" * 24, ["5e" * 12], None])
def test_an_id_that_is_none_is_told_in_a_line(clone: Copy, source: Stub, id_: object) -> None:
    def reply(_: int, path: str) -> Reply | None:
        body = json.dumps({"data": [{"data": {"id": id_}}], "links": []}).encode()
        return Reply(200, body, JSON) if "/schools?limit" in path else None

    source.answer = reply
    with pytest.raises(RemoteTrouble) as caught:
        clone()
    assert len(str(caught.value)) < 300
