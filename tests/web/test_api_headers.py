"""The headers of answers: HEAD, ETags, gzip, CORS, request ids, lengths; on both databases."""

from __future__ import annotations

import re

import pytest

from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint
from tests import world
from tests.journeys.hub import Client, Hub
from tests.journeys.oracle import Roster

every_row = pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.path)

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OWN_TO_EACH = ("x-request-id", "content-length")
ORDINARY = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET,PATCH,POST,DELETE",
    "access-control-allow-headers": "Content-Type,Authorization,X-Requested-With,Accept,Origin,Referer,User-Agent",
    "cache-control": "no-store",
}


def at(row: Endpoint, roster: Roster) -> str:
    return f"/v3.0{row.path}".replace("{id}", max(roster.records[row.source]))


@every_row
def test_head_is_get_without_the_body(
    reader: Client, stranger: Client, roster: Roster, row: Endpoint
) -> None:
    path = at(row, roster)
    for client, asked in (
        (reader, path),
        (stranger, path),
        (reader, f"{path}?limit=0&role=x"),
        (reader, f"{path}?limit=10001"),
    ):
        got, head = client.get(asked), client.request("HEAD", asked)
        assert (got.status_code, b"") == (head.status_code, head.content)
        assert {name: value for name, value in got.headers.items() if name != "x-request-id"} == {
            name: value for name, value in head.headers.items() if name != "x-request-id"
        }


@every_row
def test_every_answer_has_the_ordinary_headers_and_a_request_id_of_its_own(
    reader: Client, stranger: Client, roster: Roster, row: Endpoint
) -> None:
    path = at(row, roster)
    answers = [
        reader.get(path),
        reader.get(path),
        stranger.get(path),
        reader.get(f"{path}?limit=10001"),
        reader.get("/v3.0/nothing"),
        reader.request("OPTIONS", path),
        reader.request("POST", path),
    ]
    for answer in answers:
        assert dict(answer.headers) == {**dict(answer.headers), **ORDINARY}
        assert UUID.fullmatch(answer.headers["x-request-id"])
    assert len(answers) == len({answer.headers["x-request-id"] for answer in answers})


@every_row
def test_a_browser_may_ask_first_without_a_token(stranger: Client, roster: Roster, row: Endpoint) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    answer = stranger.request("OPTIONS", at(row, roster), asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert "content-type" not in answer.headers


@every_row
def test_a_body_that_is_known_is_not_sent_again(reader: Client, roster: Roster, row: Endpoint) -> None:
    path = at(row, roster)
    first = reader.get(path)
    if first.status_code == 404:  # a section without a course
        assert "etag" not in first.headers
        return
    tag = first.headers["etag"]
    assert re.fullmatch(r'W/"[0-9a-f]+"', tag)
    for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', f'{tag}, W/"y"'):
        for method in ("GET", "HEAD"):
            again = reader.request(method, path, {"if-none-match": known})
            assert (known, 304, b"", tag) == (known, again.status_code, again.content, again.headers["etag"])
            assert "content-length" not in again.headers
            assert "content-type" not in again.headers
            # RFC 9110, 15.4.5: the 304 has the headers that a cache needs, too.
            assert again.headers["vary"] == first.headers["vary"]
    for unknown in ('W/"x"', '""', "x", tag[:-2] + '"'):
        assert reader.get(path, if_none_match=unknown).status_code == 200


def test_each_address_and_each_token_has_a_tag_of_its_own(town: Hub, reader: Client) -> None:
    other = town.client(town.connect("read:ell_status", name="Tagged"))
    asked = ["/v3.0/users", "/v3.0/users?limit=1", "/v3.0/users?role=student", "/v3.0/schools"]
    tags = [client.get(path).headers["etag"] for client in (reader, other) for path in asked]
    assert len(tags) == len(set(tags))


def test_a_tag_stays_with_its_snapshot_and_changes_after_a_sync(synced_hub: Hub) -> None:
    token = synced_hub.connect()
    client, elsewhere = synced_hub.client(token), synced_hub.client(token)
    tags = {
        path: client.get(path).headers["etag"]
        for path in ("/v3.0/users", "/v3.0/schools?limit=1", "/v3.0/districts")
    }
    assert tags == {path: elsewhere.get(path).headers["etag"] for path in tags}
    synced_hub.sync(world.changed(("students.csv", "Mathison", "M.")))
    for path, tag in tags.items():
        answer = client.get(path, if_none_match=tag)
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag
    assert "Mathison" not in client.get("/v3.0/users").text


TAKES_GZIP = (
    "gzip",
    "GZIP",
    "deflate, gzip",
    "br;q=1.0, gzip;q=0.5, *;q=0.1",
    "gzip;q=1",
    "identity;q=0, gzip",
)
REFUSES_GZIP = (
    "",
    "identity",
    "gzip;q=0",
    "gzip; q=0.000",
    "GZIP;Q=0",
    "deflate, br, zstd",
    "*;q=0",
    "gzipped",
    "x-gzip",
)


@every_row
def test_gzip_comes_when_it_is_asked_for_and_pays(reader: Client, roster: Roster, row: Endpoint) -> None:
    path = at(row, roster)
    plain = reader.get(path, accept_encoding="identity")
    for asked in TAKES_GZIP:
        packed = reader.get(path, accept_encoding=asked)
        assert plain.content == packed.content
        if plain.status_code == 404:
            continue
        assert packed.headers.get("content-encoding") == ("gzip" if len(plain.content) >= 1024 else None)
        assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        assert packed.headers["etag"] == plain.headers["etag"]
        if "content-encoding" in packed.headers:
            assert (
                int(packed.headers["content-length"])
                < len(plain.content)
                == int(plain.headers["content-length"])
            )


@pytest.mark.parametrize("asked", REFUSES_GZIP)
def test_without_being_asked_a_body_goes_out_as_it_is(reader: Client, asked: str) -> None:
    answer = reader.get("/v3.0/users", accept_encoding=asked)
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "accept-encoding"
    assert len(answer.content) == int(answer.headers["content-length"])


def test_a_request_with_a_content_type_and_no_body_is_answered(reader: Client) -> None:
    assert reader.get("/v3.0/users?limit=1", content_type="application/json").status_code == 200


def test_a_token_without_sight_of_a_field_does_not_get_it_from_the_kept_answers(
    town: Hub, reader: Client
) -> None:
    sighted = town.client(town.connect("read:ell_status", name="Sighted"))
    path = "/v3.0/users?role=student&limit=10000"
    assert "ell_status" in sighted.get(path).text
    assert "ell_status" not in reader.get(path).text
