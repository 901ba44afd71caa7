"""Answers kept ready: within their memory, the least used dropped first, from any number of threads."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rollbook.errors import BadParameter
from rollbook.store.engine.database import Database, Row, Transaction, Values
from rollbook.store.records.joined_rows import Pieces
from rollbook.web.data import answer_cache, data_request
from rollbook.web.data.answer_cache import ENTRY_BYTES, KEPT_ANSWER_BYTES_MAX, Kept, Ready
from rollbook.web.data.data_request import REMEMBERED_CHARACTERS_MAX, Request, call_of
from rollbook.web.data.etags import HELD_MAX
from rollbook.web.http.answers import Header
from tests.journeys.hub import Hub
from tests.sharing.desk import Desk
from tests.web.wire import read_all, serving


def room(answers: int) -> int:
    """The memory for a number of answers with 999 bytes each, and a key of one character."""
    return answers * (1_000 + ENTRY_BYTES)


def ready(body: bytes, ends: str = "") -> Ready:
    return Ready((), (body,), ends)


def held(kept: Kept, *keys: str) -> list[str]:
    return [key for key in keys if kept.get(key, False) is not None]


def test_an_answer_is_kept_as_it_was_sent() -> None:
    kept = Kept(10_000)
    assert kept.get("a", False) is None
    sent, packed = ready(b"x" * 2_000, "b" * 48), ready(b"y" * 200)
    kept.put("a", False, sent)
    kept.put("a", True, packed)
    assert (kept.get("a", False), kept.get("a", True)) == (sent, packed)


def test_the_least_used_answer_gives_way() -> None:
    kept = Kept(room(3))
    for key in ("a", "b", "c"):
        kept.put(key, False, ready(b"x" * 999))
    assert held(kept, "a") == ["a"]
    kept.put("d", False, ready(b"x" * 999))
    assert held(kept, "a", "b", "c", "d") == ["a", "c", "d"]


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    kept = Kept(KEPT_ANSWER_BYTES_MAX * 4)
    kept.put("large", False, ready(b"x" * (KEPT_ANSWER_BYTES_MAX + 1)))
    assert held(kept, "large") == []
    small = Kept(ENTRY_BYTES + 1)
    small.put("a", False, ready(b"x"))
    assert held(small, "a") == []


def test_without_memory_nothing_is_kept() -> None:
    kept = Kept(0)
    kept.put("a", False, ready(b"x"))
    assert held(kept, "a") == []


def test_the_same_answer_kept_twice_counts_once() -> None:
    kept = Kept(room(3))
    for _ in range(10):
        kept.put("a", False, ready(b"x" * 999))
    kept.put("b", False, ready(b"x" * 999))
    assert held(kept, "a", "b") == ["a", "b"]


def test_many_threads_may_keep_and_get_at_once() -> None:
    kept, failures = Kept(room(5)), []

    def work(number: int) -> None:
        try:
            for step in range(3_000):
                key = str((step * 7 + number) % 20)
                if kept.get(key, False) is None:
                    kept.put(key, False, ready(b"x" * 998))
        except Exception as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    assert len(held(kept, *map(str, range(20)))) == 5


def test_short_answers_count_with_their_overhead() -> None:
    kept = Kept(100_000)
    for number in range(10_000):
        kept.put(str(number), False, ready(b"x"))
    assert len(kept._answers) <= 100_000 // ENTRY_BYTES


def test_the_kept_answers_do_not_grow_with_the_requests(small_database: Database, tmp_path: Path) -> None:
    with closing(Desk(small_database, tmp_path)) as desk:
        desk.sync()
        reader = desk.connect()
        for number in range(3):
            reader.read(f"/v3.0/districts/{desk.district.id}?x={number}{'A' * 50_000}")
        answers, size = desk.app.data.kept
        assert (answers, size > 3 * 50_000) == (3, True), "a long key counts"


def test_an_answer_is_packed_after_the_connection_was_given_back(
    synced_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise large answers keep others waiting for one of the few connections."""
    reading: list[bool] = []
    seen: list[bool] = []
    read, encode = synced_hub.database.read, answer_cache.encode

    @contextmanager
    def noted() -> Iterator[Transaction]:
        with read() as transaction:
            reading.append(True)
            try:
                yield transaction
            finally:
                reading.pop()

    def packed(pieces: Pieces, takes_gzip: bool) -> tuple[Pieces, tuple[Header, ...]]:
        seen.append(bool(reading))
        return encode(pieces, takes_gzip)

    client = synced_hub.client(synced_hub.connect())
    monkeypatch.setattr(synced_hub.database, "read", noted)
    monkeypatch.setattr(answer_cache, "encode", packed)
    assert [client.get(path).status_code for path in ("/v3.0/users", "/v3.0/events")] == [200, 200]
    assert seen == [False, False]


def _asked_of(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that read from a database from now on."""
    asked: list[str] = []
    read = database.read

    class Listening:
        def __init__(self, transaction: Transaction) -> None:
            self._connection, self.engine, self.version = transaction, transaction.engine, transaction.version

        def rows(self, sql: str, values: Values = ()) -> list[Row]:
            asked.append(sql)
            return self._connection.rows(sql, values)

        def row(self, sql: str, values: Values = ()) -> Row | None:
            asked.append(sql)
            return self._connection.row(sql, values)

    @contextmanager
    def listening() -> Iterator[Listening]:
        with read() as transaction:
            yield Listening(transaction)

    monkeypatch.setattr(database, "read", listening)
    return asked


def test_an_answer_that_is_kept_asks_the_database_for_its_version_alone(
    small_synced_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = small_synced_hub.client(small_synced_hub.connect())
    pages = ("/v3.0/users?limit=2", "/v3.0/schools")
    before = [reader.get(page).content for page in pages]
    asked = _asked_of(small_synced_hub.database, monkeypatch)
    assert [reader.get(page).content for page in pages] == before
    assert asked == []


@pytest.mark.parametrize("path", ["/v3.0/users?limit=2", "/v3.0/schools/{}/users?limit=2"])
def test_a_page_that_the_client_holds_is_not_read_again(
    small_synced_hub: Hub, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    reader = small_synced_hub.client(small_synced_hub.connect(), page_cache_bytes=0)
    page = path.format(reader.read("/v3.0/schools")["data"][0]["data"]["id"])
    etag = reader.get(page).headers["etag"]
    asked = _asked_of(small_synced_hub.database, monkeypatch)
    answer = reader.get(page, **{"if-none-match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert asked == []


def test_a_body_that_is_too_long_to_be_kept_is_sent_in_pieces_and_is_the_same(
    small_synced_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer_cache.encode((b"a", b"b"), takes_gzip=False)[0] == (b"ab",)
    token, paths = small_synced_hub.connect(), ("/v3.0/users", "/v3.0/events", "/v3.0/districts")
    reader = small_synced_hub.client(token, page_cache_bytes=0)
    joined = [reader.get(path) for path in paths]
    monkeypatch.setattr(answer_cache, "KEPT_ANSWER_BYTES_MAX", 100)
    for path, before in zip(paths, joined, strict=True):
        answer, packed = reader.get(path), reader.get(path, **{"accept-encoding": "gzip"})
        assert answer.content == packed.content == before.content
        assert answer.headers["content-length"] == before.headers["content-length"]
    ask = "{} /v3.0/users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n"
    with serving(small_synced_hub.app()) as wire:
        for method, body in (("GET", joined[0].content), ("HEAD", b"")):
            with wire.connect() as connection:
                connection.sendall(ask.format(method, token).encode())
                head, _, got = read_all(connection).partition(b"\r\n\r\n")
            assert got == body
            assert f"content-length: {len(joined[0].content)}".encode() in head.split(b"\r\n")
    pieces, _ = answer_cache.encode((b"a" * 60, b"b" * 60), takes_gzip=False)
    assert len(pieces) == 2


def test_an_etag_of_other_ends_is_not_taken(small_synced_hub: Hub) -> None:
    reader = small_synced_hub.client(small_synced_hub.connect())
    etag = reader.get("/v3.0/users?limit=2").headers["etag"]
    assert re.fullmatch(r'W/"[0-9a-f]{78}"', etag)
    for other in (f'{etag[:-25]}{"0" * 24}"', f'{etag[:33]}"'):
        assert reader.get("/v3.0/users?limit=2", **{"if-none-match": other}).status_code == 200
    others = ", ".join(f'"{number:030x}"' for number in range(HELD_MAX))
    for listed, status in ((f"{etag}, {others}", 304), (f"{others}, {etag}", 200)):
        assert reader.get("/v3.0/users?limit=2", **{"if-none-match": listed}).status_code == status


def test_what_a_path_asks_for_is_remembered_and_a_refusal_is_told_anew_each_time() -> None:
    def asked(path: str, query: str) -> Request:
        return Request("GET", path, query, "", "", takes_gzip=False)

    one, other = (call_of(asked("/v3.0/users", "limit=5")) for _ in range(2))
    assert one is other
    assert one is not None
    assert one.parsed().limit == 5
    long = asked("/v3.0/users", f"x={'A' * REMEMBERED_CHARACTERS_MAX}")
    assert call_of(long) == call_of(long)
    assert call_of(long) is not call_of(long)
    refused = call_of(asked("/v3.0/users", "limit=x"))
    assert refused is not None
    told = []
    for _ in range(2):
        with pytest.raises(BadParameter, match=r"^limit: ") as error:
            refused.parsed()
        told.append(error.value)
    assert told[0] is not told[1]


ID = "58da8a43cc70ab00017a1a0a"


@pytest.mark.parametrize("path", ["/v3.0/users", "/v3.0/districts", "/v3.0/sections/x/users", "/v3.0/events"])
@pytest.mark.parametrize(
    "rest",
    [
        *("", "limit=7", "limit=x", "count=true", "role=teacher&limit=7", "&&limit=7&", "since_snapshot=1"),
        *("ending_before=last", f"ending_before={ID}", f"starting_after={ID}", f"starting%5Fafter={ID}"),
        *(f"starting_after[]={ID[::-1]}", f"ending_before[0]={ID}", "starting_after="),
    ],
)
@pytest.mark.parametrize(
    "last", [f"starting_after={ID}", f"ending_before={ID}", f"starting_after={ID.upper()}", f"school={ID}"]
)
def test_a_page_of_a_pull_is_asked_for_as_its_query_says_by_itself(path: str, rest: str, last: str) -> None:
    """Pages of a pull are remembered together; a query is read as if nothing was remembered."""
    raw = f"{rest}&{last}" if rest else last
    call = call_of(Request("GET", path, raw, "", "", takes_gzip=False))
    assert call == data_request._call("GET", path, raw)
    if call and call.checked:
        assert call.checked == call.parsed()


def test_all_pages_of_a_pull_are_remembered_as_one() -> None:
    data_request._remembered.cache_clear()
    for number in range(50):
        call = call_of(
            Request("GET", "/v3.0/users", f"limit=5&starting_after={number:024x}", "", "", takes_gzip=False)
        )
        assert call
        assert (call.parsed().after, call.rest) == (f"{number:024x}", "limit=5")
    assert data_request._remembered.cache_info().currsize == 1
