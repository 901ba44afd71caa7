"""Reading another server: errors are retried or reported in one line, and no request goes to another host."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rollbook.clone.remote import checked_address
from rollbook.errors import BadSetting, RemoteTrouble
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from tests.clone.conftest import Copy
from tests.clone.stub import TOKEN, Reply, Stub, id_of, serving, springfield

PAGE = b'<!DOCTYPE html>\n<html lang="en"><body><pre>Cannot GET</pre></body></html>'
HTML = {"content-type": "text/html; charset=utf-8"}
JSON = {"content-type": "application/json"}

Answer = Callable[[int, str], Reply | None]


def once(target: str, *replies: Reply) -> Answer:
    """These replies, one after another, to requests that contain a text; then the usual ones."""
    left = list(replies)
    return lambda _, path: left.pop(0) if target in path and left else None


def always(target: str, reply: Reply) -> Answer:
    return lambda _, path: reply if target in path else None


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(401, b'{"message":"Unrecognized token string"}', JSON), "does not know this token"),
        (Reply(403, b"{}", JSON), "does not let this token read"),
        (Reply(404, PAGE, HTML), "there is no /v3.0/districts for this token (404)"),
        (Reply(200, PAGE, HTML), "answered with text/html and not with JSON"),
        (Reply(200, b'{"hello":"world"}', JSON), "no list of this API"),
        (Reply(200, b'["a"]', JSON), "does not have the form of this API"),
        (Reply(200, b'{"data":[{"data":[1]}],"links":[]}', JSON), "to be an object"),
        (Reply(200, b'{"data":[{"data":{"id":7}}],"links":[]}', JSON), "an id of 24 hex characters"),
        (Reply(200, b'{"data":[],"links":[]}', JSON), "a token of one district, got one that sees 0"),
        (Reply(301, b"", {"location": "https://elsewhere.example/"}), "answered with a redirect"),
        (Reply(501, b'{"message":"Not implemented"}', JSON), "refused with 501: Not implemented"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_at_once(
    reply: Reply, text: str, clone: Copy, source: Stub, sqlite: Database, waits: list[float]
) -> None:
    source.answer = always("/", reply)
    with pytest.raises(RemoteTrouble) as caught:
        clone()
    message = str(caught.value)
    assert text in message
    assert "\n" not in message
    assert TOKEN not in message
    assert (waits, len(source.requests)) == ([], 1)
    assert districts.list_all(sqlite) == []


def test_an_address_where_nobody_listens_is_told_at_once(clone: Copy, waits: list[float]) -> None:
    with pytest.raises(RemoteTrouble, match="no server can be reached there"):
        clone("http://127.0.0.1:9")
    assert waits == []


def test_a_server_without_tls_is_told_at_once(clone: Copy, source: Stub, waits: list[float]) -> None:
    with pytest.raises(RemoteTrouble, match="certificate or TLS cannot be used"):
        clone(source.address.replace("http:", "https:"))
    assert waits == []


@pytest.mark.parametrize(
    "address",
    ["", "api.example.org", "ftp://a.example", "https://", "http://user:secret@a.example", "http://a/?b"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadSetting, match="expected an address such as"):
        checked_address(address)


@pytest.mark.parametrize(
    "address",
    ["https://A.example", "https://a.example/", "https://a.example/v3.0", "https://a.example/v3.0/"],
)
def test_the_version_and_a_stroke_at_the_end_of_an_address_do_not_matter(address: str) -> None:
    assert checked_address(address) == "https://a.example"


def test_a_token_that_cannot_be_a_header_is_refused(clone: Copy) -> None:
    with pytest.raises(BadSetting, match="token"):
        clone(token="a\nb")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b"{}", JSON),
        Reply(503, PAGE, HTML),
        Reply(200, b'{"data":[{"data":{"id":"5e00', JSON),
        Reply(200, b'{"data":[{"data":{"name":"\xff"}}],"links":[]}', JSON),
        Reply(200, b'{"data":[{"data":{"name":"\\ud800"}}],"links":[]}', JSON),
        Reply(200, b"not gzip at all", {**JSON, "content-encoding": "gzip"}),
        Reply(200, b'{"data":[],"links":[]}', JSON, is_cut=True),
    ],
)
def test_trouble_that_passes_is_waited_out(
    reply: Reply, clone: Copy, source: Stub, waits: list[float]
) -> None:
    source.answer = once("/users?limit", reply, reply, reply)
    assert clone().kinds["students"].created == 6
    assert waits == [1, 2, 4]


def test_trouble_that_stays_is_told_after_five_more_tries(
    clone: Copy, source: Stub, waits: list[float]
) -> None:
    source.answer = always("/sections?limit", Reply(502))
    with pytest.raises(RemoteTrouble, match=r"answered with 502 \(asked 6 times; run the command again"):
        clone()
    assert waits == [1, 2, 4, 8, 16]


def test_a_used_up_rate_limit_is_waited_for_until_its_window_ends(
    clone: Copy, source: Stub, waits: list[float]
) -> None:
    over = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 40)}
    source.answer = once("/users?limit", Reply(429, b"", over))
    clone()
    assert [38 < seconds < 42 for seconds in waits] == [True]


def test_the_last_request_of_a_window_is_followed_by_a_wait(
    clone: Copy, source: Stub, waits: list[float]
) -> None:
    usual = source._page("/v3.0/terms", {}, source.records["terms"])
    usual.headers |= {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 10)}
    source.answer = once("/terms?limit", usual)
    clone()
    assert [8 < seconds < 12 for seconds in waits] == [True]


def test_a_clock_that_differs_makes_nobody_wait_for_hours(
    clone: Copy, source: Stub, waits: list[float]
) -> None:
    over = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 40_000)}
    source.answer = once("/users?limit", Reply(429, b"", over))
    clone()
    assert waits == [90]


def test_retry_after_is_kept_to(clone: Copy, source: Stub, waits: list[float]) -> None:
    source.answer = once("/users?limit", Reply(503, b"", {"retry-after": "7"}))
    clone()
    assert waits == [7]


def test_without_a_word_about_the_window_the_waits_double(
    clone: Copy, source: Stub, waits: list[float]
) -> None:
    source.answer = always("/users?limit", Reply(429))
    with pytest.raises(RemoteTrouble, match="rate limit"):
        clone()
    assert waits == [1, 2, 4, 8, 16]


def test_a_smaller_page_is_asked_for_where_the_largest_is_refused(clone: Copy, source: Stub) -> None:
    source.limit_max = 100
    assert clone().kinds["students"].created == 6
    refused = [path for path in source.requests if "limit=10000" in path or "limit=1000&" in path]
    assert refused == ["/v3.0/schools?limit=10000"]


def test_a_refusal_with_400_counts_as_one_of_the_page_size(clone: Copy, source: Stub) -> None:
    source.answer = lambda _, path: Reply(400, b"{}", JSON) if path.endswith("limit=10000") else None
    assert clone().kinds["students"].created == 6


def test_compressed_answers_are_read(clone: Copy, source: Stub) -> None:
    source.zips = True
    assert clone().kinds["students"].created == 6


def test_a_link_to_another_host_is_not_followed(clone: Copy, source: Stub, sqlite: Database) -> None:
    with serving(springfield()) as other:
        elsewhere = other.address.replace("127.0.0.1", "localhost")
        many(source)
        for link in (
            elsewhere,
            f"//{elsewhere.partition('//')[2]}",
            "https://evil.example",
            "http://[::1",
            "javascript:alert(1)//",
        ):
            source.links_to = link
            with pytest.raises(RemoteTrouble, match=r"another host|cannot be read|no path"):
                clone(is_fresh=True)
        assert other.requests == []
    assert districts.list_all(sqlite) == []


def test_links_with_the_servers_own_host_are_followed(clone: Copy, source: Stub) -> None:
    many(source)
    source.links_to = source.address
    assert clone().kinds["students"].created == 256
    assert source.tokens == {f"Bearer {TOKEN}"}


def test_links_that_lead_in_a_circle_are_noticed(clone: Copy, source: Stub) -> None:
    many(source)
    first = source._page("/v3.0/users", {}, source.records["users"])
    source.answer = lambda _, path: first if path.startswith("/v3.0/users?limit") else None
    with pytest.raises(RemoteTrouble, match="lead in a circle"):
        clone()


def test_a_record_that_comes_twice_is_refused(clone: Copy, source: Stub, sqlite: Database) -> None:
    source.records["users"].append(source.records["users"][0])
    with pytest.raises(RemoteTrouble, match="twice"):
        clone()


def test_a_record_that_says_a_field_twice_is_refused(clone: Copy, source: Stub) -> None:
    known = source.records["users"][-1].replace(
        '"roles": {', '"roles": {"student": {}, "student": {"ell_status": "Y"}, '
    )
    source.records["users"].append(known.replace(id_of(5_000), id_of(7_000)))
    with pytest.raises(RemoteTrouble, match="a record of users is no valid JSON: a field stands twice"):
        clone()


def test_an_empty_list_of_resources_may_come_without_data(clone: Copy, source: Stub) -> None:
    source.answer = lambda _, path: (
        Reply(200, b'{"resources":[]}', JSON) if path.startswith("/v3.0/resources") else None
    )
    assert "resources" not in clone().kinds


def test_a_server_that_does_not_count_is_read_all_the_same(clone: Copy, source: Stub) -> None:
    source.answer = lambda _, path: (
        Reply(404, PAGE, HTML) if "count=true" in path or "/events" in path else None
    )
    assert clone().kinds["students"].created == 6


def many(stub: Stub) -> None:
    """More students than fit on a page of the size that the stub then allows."""
    stub.limit_max = 100
    stub.put("users", *({"id": f"5f{number:022x}", "roles": {"student": {}}} for number in range(250)))
